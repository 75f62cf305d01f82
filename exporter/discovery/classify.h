#pragma once

#include "exporter/discovery/scan_result.h"
#include "exporter/url/url.h"

namespace registry_backend {

// Whose storage answers at `url`: provider, bucket and region as far as they are certain, else
// empty; `delivery` and `scheme` are left to the caller. The host's name decides, label by label
// from the right, never by substring; its port does not matter. Providers: s3, ecr, cloudfront,
// gcs, artifact-registry, azure-blob, mcr, acr, r2, backblaze-b2, wasabi, digitalocean-spaces,
// akamai, fastly. Edges of a CDN have neither bucket nor region: what they serve is kept elsewhere.
//
// Where the name tells no region but the URL is signed for S3 (a branded host, a global name of
// S3's own), it is the region that the signature is for. Nothing else of the query is given out.
EndpointInfo Classify(const Url& url);

// The same of a name alone: no bucket from a path, no region from a signature.
EndpointInfo ClassifyHost(const Host& host);

}  // namespace registry_backend
