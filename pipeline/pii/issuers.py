"""What issuers make public of the form of their keys and accounts: beginnings, alphabets, lengths."""

# Keys: how a key begins (the sieve looks for the first 3 or 4 bytes at the beginning of a word), and its whole form.
# From the issuers' documentation and the rules of secret scanners such as gitleaks; lengths where issuers keep to one.
_KEYS: tuple[tuple[bytes, bytes], ...] = (
    # Amazon Web Services: access keys of users, temporary ones; Bedrock.
    (b"AKIA ASIA ABIA ACCA", rb"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}"),
    (b"ABSK", rb"ABSK[A-Za-z0-9+/]{109,269}={0,2}"),
    # GitHub: classic, OAuth, app and refresh tokens; fine-grained tokens.
    (b"ghp_ gho_ ghu_ ghs_ ghr_", rb"gh[pousr]_[A-Za-z0-9]{36,251}"),
    (b"github_pat_", rb"github_pat_[A-Za-z0-9_]{40,100}"),
    # GitLab: personal, deploy, feed, runner, trigger, agent and job tokens.
    (
        b"glpat- gldt- glft- glrt- glptt- glagent- glcbt- glsoat- gloas- glimt- glffct- GR1348941",
        rb"(?:gl(?:pat|dt|ft|rt|ptt|agent|cbt|soat|oas|imt|ffct)-|GR1348941)[A-Za-z0-9_.-]{20,300}",
    ),
    # Slack: tokens, and the address of a webhook.
    (b"xoxb xoxa xoxp xoxr xoxs xoxo xoxe xoxc xoxd xapp", rb"(?:xox[a-e]|xox[oprs]|xapp)-[A-Za-z0-9%.-]{10,250}"),
    (b"hooks.slack.com", rb"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{20,90}"),
    # Discord: the address of a webhook. (Its bot tokens begin with the base64 of a number: see `keys`.)
    (b"discord.com discordapp.com", rb"discord(?:app)?\.com/api/webhooks/[0-9]{15,21}/[A-Za-z0-9_-]{50,90}"),
    # Google: API keys, OAuth client secrets, OAuth access and refresh tokens.
    (b"AIza", rb"AIza[A-Za-z0-9_-]{35}"),
    (b"GOCSPX-", rb"GOCSPX-[A-Za-z0-9_-]{28}"),
    (b"ya29.", rb"ya29\.[A-Za-z0-9_-]{30,250}"),
    # Payments: Stripe, Square, Flutterwave, Paystack share `sk_…`; Shopify; PayPal's Braintree.
    (b"sk_ rk_ whsec_", rb"(?:[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,120}|whsec_[A-Za-z0-9+/=]{24,80})"),
    (b"sq0atp- sq0csp- EAAA", rb"(?:sq0(?:atp|csp)-[A-Za-z0-9_-]{22,60}|EAAA[A-Za-z0-9_-]{56,64})"),
    (b"FLWSECK", rb"FLWSECK(?:_TEST|_LIVE)?-[A-Za-z0-9]{12,40}(?:-X)?"),
    (b"shpat_ shpca_ shppa_ shpss_", rb"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}"),
    # Language models: OpenAI, Anthropic, OpenRouter, DeepSeek and others share `sk-`.
    (
        b"sk-",
        rb"sk-(?:(?:ant|proj|svcacct|admin|or)-[A-Za-z0-9_-]{20,250}"
        rb"|[A-Za-z0-9]{32,64}|[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})",
    ),
    (b"hf_ api_org_", rb"(?:hf|api_org)_[A-Za-z0-9]{30,40}"),
    (b"gsk_ pplx- r8_ xai- nvapi-", rb"(?:gsk_|pplx-|r8_|xai-|nvapi-)[A-Za-z0-9_-]{36,90}"),
    # Packages: npm, PyPI, RubyGems, NuGet, Docker, crates.io, Clojars.
    (b"npm_", rb"npm_[A-Za-z0-9]{36}"),
    (b"pypi-AgE", rb"pypi-AgE[A-Za-z0-9_-]{40,250}"),
    (b"rubygems_", rb"rubygems_[a-f0-9]{48}"),
    (b"oy2 dckr_pat_ dckr_oat_", rb"(?:oy2[a-z0-9]{43}|dckr_[po]at_[A-Za-z0-9_-]{27,40})"),
    (b"CLOJARS_", rb"CLOJARS_[A-Za-z0-9]{60}"),
    # Messages: SendGrid, Brevo, Mailgun, Twilio, Telegram (its number before the colon: see `keys`).
    (b"SG.", rb"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"),
    (b"xkeysib- xsmtpsib-", rb"x(?:key|smtp)sib-[a-f0-9]{64}-[A-Za-z0-9]{16}"),
    (b"key- pubkey-", rb"(?:pub)?key-[a-f0-9]{32}"),
    (b"SK0 SK1 SK2 SK3 SK4 SK5 SK6 SK7 SK8 SK9 SKa SKb SKc SKd SKe SKf", rb"SK[0-9a-f]{32}"),
    (b"AAA AAB AAC AAD AAE AAF AAG AAH", rb"AA[A-H][A-Za-z0-9_-]{31,34}"),
    # Clouds and services.
    (b"dop_v1_ doo_v1_ dor_v1_", rb"do[por]_v1_[a-f0-9]{64}"),
    (b"dapi", rb"dapi[a-f0-9]{32}(?:-[0-9])?"),
    (b"hvs. hvb. hvr.", rb"hv[sbr]\.[A-Za-z0-9_-]{24,300}"),
    (b"dp.pt. dp.st. dp.ct.", rb"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{40,60}"),
    (b"pul-", rb"pul-[a-f0-9]{40}"),
    (b"PMAK-", rb"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    (b"lin_api_ secret_ ntn_", rb"(?:lin_api_[A-Za-z0-9]{40}|secret_[A-Za-z0-9]{43}|ntn_[0-9]{11}[A-Za-z0-9]{35})"),
    (b"glc_ glsa_", rb"(?:glc_[A-Za-z0-9+/]{32,250}={0,3}|glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8})"),
    (b"sntrys_ sntryu_", rb"sntry[su]_[A-Za-z0-9+/=_]{60,250}"),
    (b"NRAK- NRII- NRJS-", rb"NR(?:AK|II|JS)-[A-Za-z0-9_-]{19,40}"),
    (b"ATATT3 ATBB ATCTT3", rb"(?:AT[AC]TT3[A-Za-z0-9_=-]{60,250}|ATBB[A-Za-z0-9]{32})"),
    (b"HRKU-", rb"HRKU-[A-Za-z0-9_-]{36,64}"),
    (b"pscale_", rb"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9=._-]{32,64}"),
    (b"sl.", rb"sl\.[A-Za-z0-9_=-]{60,250}"),
    (b"LTAI", rb"LTAI[A-Za-z0-9]{16,24}"),
    (b"AKCp", rb"AKCp[A-Za-z0-9]{60,80}"),
    (b"EAAM EAAC EAAB EAAG", rb"EAA[A-Z][A-Za-z0-9]{90,250}"),
    (b"fo1_ fm1a_ fm1r_ fm2_", rb"f(?:o1|m1a|m1r|m2)_[A-Za-z0-9+/_-]{40,250}={0,3}"),
    (b"sbp_", rb"sbp_[a-f0-9]{40}"),
    (b"tfp_ phc_ phx_ figd_ rnd_", rb"(?:tfp_|ph[cx]_|figd_|rnd_)[A-Za-z0-9_-]{28,60}"),
    (b"AGE-SECRET-KEY-1", rb"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    (b"ops_eyJ", rb"ops_eyJ[A-Za-z0-9+/]{80,300}={0,3}"),
)

PASSWORD_STARTS = b"pass Pass PASS pwd pwd= Pwd= PWD= psw= sig="
"""Names of passwords, as words begin in which the sieve looks for them."""

KEY_STARTS = tuple(start for starts, _ in _KEYS for start in starts.split()) + tuple(PASSWORD_STARTS.split())

ISSUED = b"|".join(b"(?:" + form + b")" for _, form in _KEYS)
"""A pattern of all forms of keys."""

# International bank account numbers (ISO 13616): length and kind (n digits, a letters, c either) of what stands behind
# the country and its check digits.
_ACCOUNTS = """
    AD8n12c AE19n AL8n16c AO21n AT16n AZ4c20n BA16n BE12n BF2c22n BG4a6n8c BH4a14c BI23n BJ2c22n BR23n1a1c BY4c4n16c
    CF23n CG23n CH5n12c CI2c22n CM23n CR18n CV21n CY8n16c CZ20n DE18n DJ23n DK14n DO4c20n DZ22n EE16n EG25n ES20n
    FI14n FK2a12n FO14n FR10n11c2n GA23n GB4a14n GE2c16n GI4a15c GL14n GQ23n GR7n16c GT24c GW2c19n HN4a20n HR17n HU24n
    IE4c14n IL19n IQ4a15n IR22n IS22n IT1a10n12c JO4a22n KM23n KW4a22c KZ3n13c LB4n20c LC4a24c LI5n12c LT16n LU3n13c
    LV4a13c LY21n MA24n MC10n11c2n MD20c ME18n MG23n MK3n10c2n ML2c22n MN16n MR23n MT4a5n18c MU4a19n3a MZ21n NE2c22n
    NI4a20n NL4a10n NO11n OM3n16c PK4a16c PL24n PS4a21c PT21n QA4a21c RO4a16c RS18n RU14n15c SA2n18c SC4a20n3a SD14n
    SE20n SI15n SK20n SM1a10n12c SN2c22n SO19n ST21n SV4a20n TD23n TG2c22n TL19n TN20n TR6n16c UA6n19c VA18n VG4c16n
    XK16n YE4a4n18c
"""


def _parts(form: str) -> tuple[tuple[int, str], ...]:
    parts, number = [], ""
    for character in form:
        if character.isdigit():
            number += character
        else:
            parts.append((int(number), character))
            number = ""
    return tuple(parts)


BBAN = {entry[:2]: _parts(entry[2:]) for entry in _ACCOUNTS.split()}
"""Country → lengths and kinds of the parts of an account number behind its check digits."""
