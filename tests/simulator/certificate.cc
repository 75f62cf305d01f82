#include "tests/simulator/certificate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace registry_backend::simulator {
namespace {

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Free<X509_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;
using BioPtr = std::unique_ptr<BIO, Free<BIO_free_all>>;

void Require(bool succeeded, const char* what) {
  if (!succeeded) throw std::runtime_error(std::string("cannot make a certificate: ") + what);
}

bool IsAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> parsed{};
  return inet_pton(AF_INET, host.c_str(), parsed.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), parsed.data()) == 1;
}

std::string AlternativeNames(const std::vector<std::string>& hosts) {
  std::string names;
  for (const std::string& host : hosts) {
    if (!names.empty()) names += ',';
    names += (IsAddress(host) ? "IP:" : "DNS:") + host;
  }
  return names;
}

void AddExtension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  Require(extension && X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

void SetName(X509* certificate) {
  static constexpr unsigned char kName[] = "registry simulator";
  X509_NAME* const name = X509_get_subject_name(certificate);
  Require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, kName, -1, -1, 0) == 1, "name");
  Require(X509_set_issuer_name(certificate, name) == 1, "issuer");
}

// A serial of its own: TLS libraries confuse two certificates of one issuer and serial.
void SetSerial(X509* certificate) {
  std::uint64_t serial = 0;
  std::array<unsigned char, sizeof serial> random{};
  Require(RAND_bytes(random.data(), static_cast<int>(random.size())) == 1, "random number");
  std::memcpy(&serial, random.data(), sizeof serial);
  Require(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1, "serial");
}

template <typename Write>
std::string ToPem(Write write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  Require(bio && write(bio.get()) == 1, "PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

Certificate MakeCertificate(const std::vector<std::string>& hosts, std::chrono::hours lifetime) {
  static constexpr std::chrono::seconds kBackdated = std::chrono::hours(24);
  const KeyPtr key(EVP_EC_gen("P-256"));
  const CertificatePtr certificate(X509_new());
  Require(key && certificate, "key");
  X509* const x509 = certificate.get();
  Require(X509_set_version(x509, X509_VERSION_3) == 1, "version");
  SetSerial(x509);
  SetName(x509);
  X509_gmtime_adj(X509_getm_notBefore(x509), -kBackdated.count());
  X509_gmtime_adj(X509_getm_notAfter(x509), (lifetime - kBackdated).count());
  Require(X509_set_pubkey(x509, key.get()) == 1, "public key");
  AddExtension(x509, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(x509, NID_key_usage, "critical,digitalSignature,keyCertSign");
  AddExtension(x509, NID_ext_key_usage, "serverAuth");
  AddExtension(x509, NID_subject_key_identifier, "hash");
  AddExtension(x509, NID_subject_alt_name, AlternativeNames(hosts));
  Require(X509_sign(x509, key.get(), EVP_sha256()) > 0, "signature");
  return {
      ToPem([&](BIO* bio) { return PEM_write_bio_X509(bio, x509); }),
      ToPem([&](BIO* bio) {
        return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
      }),
  };
}

}  // namespace registry_backend::simulator
