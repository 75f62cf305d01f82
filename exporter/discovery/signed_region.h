#pragma once

#include <string>
#include <string_view>

namespace registry_backend {

// The region that a query signed for S3 (AWS Signature Version 4) names in its one
// `X-Amz-Credential=KEY/20260131/REGION/s3/aws4_request`; empty where that is missing, malformed,
// given twice with differing values, or `auto`. `query` as in Url: without `?`, still encoded.
// Nothing else of the query, which is a credential, is in the result.
std::string SignedRegion(std::string_view query);

}  // namespace registry_backend
