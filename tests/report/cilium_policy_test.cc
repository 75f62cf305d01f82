#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <regex>
#include <set>
#include <string>

#include "exporter/report/allowlist.h"

// Holds the policy for Cilium to what its CustomResourceDefinition (cilium.io/v2) says of the
// fields that are used: which there are, of which type, and their patterns.
namespace registry_backend {
namespace {

std::string Policy(const std::vector<std::string>& hosts) {
  AllowlistTarget target{.registry = "registry.example", .repository = "team/app"};
  for (const std::string& host : hosts) {
    target.endpoints.insert({Serves::kBlobs, *Host::Parse(host)});
  }
  const Result<std::string> list = MakeAllowlist({target}, AllowlistFormat::kCilium);
  EXPECT_TRUE(list);
  return *list;
}

std::set<std::string> KeysOf(const YAML::Node& node) {
  std::set<std::string> keys;
  EXPECT_TRUE(node.IsMap());
  for (const auto& member : node) keys.insert(member.first.as<std::string>());
  return keys;
}

using Keys = std::set<std::string>;

void ExpectMatch(const YAML::Node& node, const char* pattern) {
  EXPECT_TRUE(std::regex_match(node.as<std::string>(), std::regex(pattern))) << node;
}

constexpr const char* kLabelValue = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

void ExpectSelector(const YAML::Node& selector) {
  EXPECT_EQ(KeysOf(selector), Keys{"matchLabels"});
  for (const auto& label : selector["matchLabels"]) ExpectMatch(label.second, kLabelValue);
}

void ExpectDnsRule(const YAML::Node& rule) {
  EXPECT_EQ(KeysOf(rule), (Keys{"toEndpoints", "toPorts"}));
  for (const YAML::Node& selector : rule["toEndpoints"]) ExpectSelector(selector);
  for (const YAML::Node& ports : rule["toPorts"]) {
    EXPECT_EQ(KeysOf(ports), (Keys{"ports", "rules"}));
    for (const YAML::Node& port : ports["ports"]) {
      EXPECT_EQ(KeysOf(port), (Keys{"port", "protocol"}));
      EXPECT_EQ(port["port"].Tag(), "!") << "a quoted text: " << port;
      ExpectMatch(port["protocol"], "TCP|UDP|SCTP|ICMP|ICMPv6|ANY");
    }
    EXPECT_EQ(KeysOf(ports["rules"]), Keys{"dns"});
    for (const YAML::Node& name : ports["rules"]["dns"]) {
      EXPECT_EQ(KeysOf(name), Keys{"matchPattern"});
      ExpectMatch(name["matchPattern"], "([-a-zA-Z0-9_*]+[.]?)+");
    }
  }
}

TEST(CiliumPolicy, HasTheFieldsOfItsDefinition) {
  const std::string longest = std::string(60, 'a') + "." + std::string(60, 'b') + "." +
                              std::string(60, 'c') + "." + std::string(60, 'd') + ".example";
  const YAML::Node policy =
      YAML::Load(Policy({"registry.example", "a_b.s3.amazonaws.com", longest, "minio.corp:9000",
                         "192.0.2.7:5000", "[2001:db8::7]"}));
  EXPECT_EQ(KeysOf(policy), (Keys{"apiVersion", "kind", "metadata", "spec"}));
  EXPECT_EQ(policy["apiVersion"].as<std::string>(), "cilium.io/v2");
  EXPECT_EQ(policy["kind"].as<std::string>(), "CiliumNetworkPolicy");
  EXPECT_EQ(KeysOf(policy["metadata"]), Keys{"name"});
  ExpectMatch(policy["metadata"]["name"], "[a-z0-9]([-a-z0-9]*[a-z0-9])?");
  EXPECT_EQ(KeysOf(policy["spec"]), (Keys{"endpointSelector", "egress"}));
  ExpectSelector(policy["spec"]["endpointSelector"]);
  EXPECT_GT(policy["spec"]["endpointSelector"]["matchLabels"].size(), 0U)
      << "no label selects every pod, and cuts it off";

  const YAML::Node egress = policy["spec"]["egress"];
  ASSERT_EQ(egress.size(), 3U);
  ExpectDnsRule(egress[0]);
  // These two may not stand in a rule with other destinations.
  EXPECT_EQ(KeysOf(egress[1]), Keys{"toFQDNs"});
  EXPECT_EQ(egress[1]["toFQDNs"].size(), 4U);
  for (const YAML::Node& name : egress[1]["toFQDNs"]) {
    EXPECT_EQ(KeysOf(name), Keys{"matchName"});
    ExpectMatch(name["matchName"], "([-a-zA-Z0-9_]+[.]?)+");
    EXPECT_LE(name["matchName"].as<std::string>().size(), 255U);
  }
  EXPECT_EQ(KeysOf(egress[2]), Keys{"toCIDR"});
  EXPECT_EQ(egress[2]["toCIDR"].as<std::vector<std::string>>(),
            (std::vector<std::string>{"192.0.2.7/32", "2001:db8::7/128"}));
}

TEST(CiliumPolicy, HasNoEmptyList) {
  EXPECT_EQ(YAML::Load(Policy({"192.0.2.7"}))["spec"]["egress"].size(), 2U);
  EXPECT_EQ(YAML::Load(Policy({"cdn.example"}))["spec"]["egress"].size(), 2U);
}

}  // namespace
}  // namespace registry_backend
