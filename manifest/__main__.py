"""``python -m manifest --bot-id ... --domain ... --out build/cloudlink-presence.zip`` makes the app package.

It needs Python's own library only.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from manifest.packer import (
    SAMPLE_DEVELOPER,
    Developer,
    Refused,
    checked_bot_id,
    checked_domain,
    checked_name,
    checked_url,
    package,
)

DEFAULT_OUT = Path("build/cloudlink-presence.zip")
DEVELOPER_OPTIONS = ("developer_name", "website_url", "privacy_url", "terms_url")


def _argument(check: Callable[[str], str]) -> Callable[[str], str]:
    def checked(text: str) -> str:
        try:
            return check(text)
        except Refused as refused:
            raise argparse.ArgumentTypeError(str(refused)) from None

    return checked


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m manifest", description="Makes the app package for Teams.")
    add = parser.add_argument
    add("--bot-id", required=True, type=_argument(checked_bot_id), help="the bot's Application (client) ID")
    add("--domain", required=True, type=_argument(checked_domain), help="host name of PUBLIC_URL")
    add("--out", type=Path, default=DEFAULT_OUT, help=f"where to write (default: {DEFAULT_OUT})")
    add("--developer-name", type=_argument(checked_name), help="your organisation, at most 32 characters")
    add("--website-url", type=_argument(checked_url), help="its page about this app or its support")
    add("--privacy-url", type=_argument(checked_url), help="its privacy statement")
    add("--terms-url", type=_argument(checked_url), help="its terms of use")
    add("--sample-developer", action="store_true", help="for trying out: example.com where a page is missing")
    return parser


def _developer(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Developer:
    given = {name: getattr(options, name) for name in DEVELOPER_OPTIONS}
    missing = ["--" + name.replace("_", "-") for name, value in given.items() if value is None]
    if missing and not options.sample_developer:
        parser.error(
            f"say who is responsible for the app: {', '.join(missing)} (or --sample-developer, to try it out)"
        )
    sample = SAMPLE_DEVELOPER
    return Developer(
        given["developer_name"] or sample.name,
        given["website_url"] or sample.website_url,
        given["privacy_url"] or sample.privacy_url,
        given["terms_url"] or sample.terms_url,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1: the file cannot be written; 2: the arguments are wrong."""
    parser = _parser()
    options = parser.parse_args(arguments)
    content = package(options.bot_id, options.domain, _developer(parser, options))
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_bytes(content)
    except OSError as error:
        print(f"{options.out} cannot be written: {error.strerror}. Name another file with --out.", file=sys.stderr)
        return 1
    print(f"{options.out}: {len(content)} bytes. Upload it in Teams: Apps, Manage your apps, Upload an app.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
