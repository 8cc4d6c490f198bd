"""Signing in with an identity provider: OpenID Connect, the authorization code flow with PKCE.

A sign-in begins with a random token in a cookie of the browser. What the provider is given to bring back is derived
from it: `state` proves that the answer comes to the browser that asked, `nonce` that the ID token was made for this
very sign-in, and the verifier of PKCE that whoever redeems the code began it. So nothing secret of a sign-in is in the
database; what is there, until it is used or ten minutes have passed, is the digest of the token: each begins once and
ends once.

An ID token counts only with a signature by a key that the provider publishes, by an algorithm of two keys: neither
`none`, nor one for which the published key would be the secret.
"""
