"""What a caller is told of its limits: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers)."""

import math

from rice_stream.api.access.shares import Share


def limit_headers(share: Share) -> list[tuple[bytes, bytes]]:
    """Both headers, as ASGI has them: what may be taken up, and what is left of it now.

    Requests a second on average, and requests at the same time. Less than one a second is said as one in so many seconds.
    """
    bucket, requests = share.rate.bucket, share.requests
    window_s = math.ceil(1 / bucket.per_s) if bucket.per_s < 1 else 1
    quota = max(math.floor(bucket.per_s * window_s), 1)
    left = bucket.left()
    full_in_s = math.ceil((bucket.most - left) / bucket.per_s)
    policy = f'"rate";q={quota};w={window_s}, "concurrency";q={requests.most};qu="concurrent-requests"'
    state = f'"rate";r={math.floor(left)};t={full_in_s}, "concurrency";r={max(requests.most - requests.now, 0)}'
    return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", state.encode())]
