"""Secrets in texts: what looks like a key or password that somebody forgot there."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from actors.quality.finding import Finding, Severity
from actors.quality.target import Target

__all__ = ["RULES", "Secret", "SecretRule", "find_secrets", "secret_finding", "secrets_in"]

# A line of generated or minified code is looked through up to here.
LONGEST_LINE = 64 * 1024
_MEND = (
    "revoke it, then take it from the environment or a secret store; a change of the file does not make it secret again"
)
_ALLOWED = re.compile(r"pragma:\s*allowlist\s+secret|gitleaks:allow|\bnosec\b|noqa: S10[567]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SecretRule:
    """One kind of secret.

    Args:
        name: of the rule.
        what: of whom or what it is the secret, in words.
        pattern: the secret is its group `secret`.
        hints: lower-case texts of which a line has one whenever the pattern matches; looked for first, being quicker.
        severity: of its findings.
        guessed: the pattern alone is no proof: placeholders and texts that are too regular are left out.
    """

    name: str
    what: str
    pattern: re.Pattern[str]
    hints: tuple[str, ...]
    severity: Severity = "error"
    guessed: bool = False


def _rule(
    name: str, what: str, pattern: str, *hints: str, severity: Severity = "error", guessed: bool = False
) -> SecretRule:
    return SecretRule(name, what, re.compile(pattern), hints, severity, guessed)


RULES: Final[tuple[SecretRule, ...]] = (
    _rule(
        "private-key",
        "a private key",
        r"(?P<secret>-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----)",
        "private key",
    ),
    _rule("aws-access-key", "AWS", r"\b(?P<secret>(?:AKIA|ASIA)[A-Z2-7]{16})\b", "akia", "asia"),
    _rule(
        "aws-secret-key",
        "AWS",
        r"(?i)aws.{0,20}?(?:secret|key).{0,20}?[=:]\s*[\"']?(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        "aws",
        guessed=True,
    ),
    _rule(
        "github-token",
        "GitHub",
        r"\b(?P<secret>gh[pousr]_[A-Za-z0-9]{36,255})\b",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
    ),
    _rule("github-fine-grained-token", "GitHub", r"\b(?P<secret>github_pat_[A-Za-z0-9_]{60,255})\b", "github_pat_"),
    _rule("gitlab-token", "GitLab", r"\b(?P<secret>glpat-[A-Za-z0-9_-]{20,})", "glpat-"),
    _rule("slack-token", "Slack", r"\b(?P<secret>xox[abeprs]-[A-Za-z0-9-]{10,})", "xox"),
    _rule(
        "slack-webhook",
        "Slack",
        r"(?P<secret>https://hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{20,})",
        "hooks.slack.com",
    ),
    _rule("google-api-key", "Google", r"\b(?P<secret>AIza[A-Za-z0-9_-]{35})(?![A-Za-z0-9_-])", "aiza"),
    _rule("stripe-key", "Stripe", r"\b(?P<secret>(?:sk|rk)_live_[A-Za-z0-9]{20,})", "sk_live_", "rk_live_"),
    _rule("pypi-token", "PyPI", r"\b(?P<secret>pypi-AgEI[A-Za-z0-9_-]{50,})", "pypi-agei"),
    _rule("npm-token", "npm", r"\b(?P<secret>npm_[A-Za-z0-9]{36})\b", "npm_"),
    _rule("sendgrid-key", "SendGrid", r"\b(?P<secret>SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})", "sg."),
    _rule(
        "openai-key", "OpenAI", r"\b(?P<secret>sk-(?:proj-)?[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,})", "t3blbkfj"
    ),
    _rule("azure-storage-key", "Azure", r"AccountKey=(?P<secret>[A-Za-z0-9+/]{86}==)", "accountkey="),
    _rule(
        "json-web-token",
        "a signed token",
        r"\b(?P<secret>eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,})",
        "eyj",
        severity="warning",
    ),
    _rule(
        "password-in-url",
        "a server",
        r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"'<>{}$]{1,100}:(?P<secret>[^\s:/@\"'<>{}$]{3,100})@[A-Za-z0-9.-]+",
        "://",
        severity="warning",
        guessed=True,
    ),
    _rule(
        "assigned-secret",
        "something",
        r"(?i)(?:password|passwd|secret|token|api_?-?key|private_?-?key|access_?-?key)[\"'\]]?\s*(?::=|[=:])\s*"
        r"[\"'](?P<secret>[^\s\"']{12,200})[\"']",
        *("passw", "secret", "token", "key"),
        severity="warning",
        guessed=True,
    ),
)
"""What is looked for, the surest first: one text is reported by the first rule that takes it."""

# What people write where a secret is to be filled in, or where it is taken from elsewhere.
_PLACEHOLDER = re.compile(
    r"(?i)example|placeholder|change[_-]?me|your[_-]|dummy|sample|redacted|xxxx|\.\.\.|…|\*\*\*|<.*>|\{|\$|%\(|"
    r"^(?:password|passwd|pass|pwd|secret|token|user|test|none|null)\d*$"
)
_LEAST_BITS = 3.2
_LEAST_BITS_OF_A_PASSWORD = 1.5


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret in a line. `shown` is all of it that may be told: enough to find it, not to use it."""

    rule: SecretRule
    column: int
    shown: str


def find_secrets(line: str) -> list[Secret]:
    """The secrets of one line.

    A line that says `pragma: allowlist secret`, `gitleaks:allow` or `nosec` has none.

    Args:
        line: of any text; a very long one is looked at up to `LONGEST_LINE` characters.
    """
    line = line[:LONGEST_LINE]
    lower = line.lower()
    found: list[Secret] = []
    taken: list[tuple[int, int]] = []
    for rule in RULES:
        if not any(hint in lower for hint in rule.hints):
            continue
        for match in rule.pattern.finditer(line):
            start, end = match.span("secret")
            if any(start < other_end and other_start < end for other_start, other_end in taken):
                continue
            secret = match["secret"]
            if rule.guessed and not _looks_real(rule, secret):
                continue
            taken.append((start, end))
            found.append(Secret(rule, start + 1, _shown(rule, secret)))
    return [] if not found or _ALLOWED.search(line) else found


def secrets_in(target: Target) -> Iterator[Finding]:
    """The secrets of a file."""
    if target.text is None:
        return
    for number, line in enumerate(target.text.split("\n"), 1):
        for secret in find_secrets(line):
            yield secret_finding(secret, target.path, number)


def secret_finding(secret: Secret, path: str, line: int | None, where: str = "") -> Finding:
    """The finding for a secret. `where` says where it is if not in the file as it stands."""
    rule = secret.rule
    message = f"a secret of {rule.what}: {secret.shown}" if rule.what != "a private key" else "a private key"
    return Finding(
        "secrets",
        rule.name,
        rule.severity,
        path,
        line,
        secret.column,
        line,
        f"{message}{where}",
        mend=_MEND,
        kind="security",
    )


def _looks_real(rule: SecretRule, secret: str) -> bool:
    if _PLACEHOLDER.search(secret):
        return False
    if rule.name == "password-in-url":
        return _bits(secret) >= _LEAST_BITS_OF_A_PASSWORD
    # Words, paths and names of variables: a secret has digits among its letters.
    mixed = any(one.isdigit() for one in secret) and any(one.isalpha() for one in secret)
    return mixed and _bits(secret) >= _LEAST_BITS


def _bits(text: str) -> float:
    """The entropy of a text for each of its characters."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def _shown(rule: SecretRule, secret: str) -> str:
    if rule.name == "slack-webhook":
        return "https://hooks.slack.com/…"
    kept = 4 if len(secret) >= 16 else 1
    return f"{secret[:kept]}… ({len(secret)} characters)"
