#pragma once

#include "exporter/discovery/scan_result.h"
#include "exporter/url/url.h"

namespace registry_backend {

// Whose storage answers at `url`, told from its host name label by label from the right, never by
// substring. Only Amazon S3 is known so far: virtual-host and path style, dual-stack, FIPS,
// accelerate, website, access-point, express and legacy names, the China partition. For a branded
// or unknown host all of it is empty; `delivery` is left to the caller.
EndpointInfo Classify(const Url& url);

}  // namespace registry_backend
