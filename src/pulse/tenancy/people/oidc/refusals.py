"""Why a sign-in with an identity provider comes to nothing, in words for whoever sees them in a browser."""

from pulse.core.errors import Denied, Unavailable


class SignInVoid(Denied):
    """This sign-in was begun in another browser, more than ten minutes ago, or has ended already: begin it again."""

    code = "sign_in_void"


class ProviderRefused(Denied):
    """The identity provider did not sign you in: begin again, or ask whoever administers it."""

    code = "provider_refused"


class IdTokenRefused(Denied):
    """What the identity provider says about you does not prove who you are."""

    code = "id_token_refused"


class MailNotVerified(Denied):
    """The identity provider does not say that your mail address is verified: verify it there, then sign in again."""

    code = "mail_not_verified"


class NoAccount(Denied):
    """There is no account for your mail address here: ask whoever administers Pulse to make one."""

    code = "no_account"


class AccountDisabled(Denied):
    """Your account here is disabled: ask whoever administers Pulse."""

    code = "account_disabled"


class AccountTaken(Denied):
    """The account of your mail address cannot be joined with this identity."""

    code = "account_taken"


class ProviderFailed(Unavailable):
    """The identity provider does not answer as it must. Try again shortly; if it stays so, `PULSE_OIDC_…` is wrong."""

    code = "provider_failed"
