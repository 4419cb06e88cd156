"""The options of what files say of how their pictures were made."""

import os
from typing import TYPE_CHECKING, Any

import click

from imaginairy.cli.options import Decorator
from imaginairy.cli.sections import SectionedOption
from imaginairy.errors import BadOptionError

if TYPE_CHECKING:
    from imaginairy.metadata.credentials import Provenance

CERTIFICATE, KEY = "IMAGINAIRY_C2PA_CERT", "IMAGINAIRY_C2PA_KEY"
"""The variables that name what is signed with where the options do not."""

bare_option = click.option(
    "--no-metadata", "bare", cls=SectionedOption, section="Output", is_flag=True,
    help="Save nothing in the files, or their names, about how they were made.",
)  # fmt: skip
SIGNING = (
    click.option(
        "--c2pa", cls=SectionedOption, section="Output", is_flag=True,
        help="Also sign content credentials (C2PA) in the files, which say that they "
        "were generated, or from what; needs a certificate.",
    ),
    click.option(
        "--c2pa-cert", metavar="FILE", cls=SectionedOption, section="Output",
        help="The certificate that --c2pa signs with, in PEM, with those that vouch "
        f"for it behind it; {CERTIFICATE} by default.",
    ),
    click.option(
        "--c2pa-key", metavar="FILE", cls=SectionedOption, section="Output",
        help=f"The private key of the certificate, in PEM; {KEY} by default.",
    ),
)  # fmt: skip


def provenance_options() -> Decorator:
    """Return what adds these options to a command."""

    def add(command: Any) -> Any:
        for each in reversed((bare_option, *SIGNING)):
            command = each(command)
        return command

    return add


def asked_provenance(options: dict[str, Any]) -> "Provenance":
    """Return what a command was asked to say, from these options.

    Raises:
        BadOptionError: it cannot be signed as it was asked for.
    """
    from imaginairy.metadata.credentials import C2paSigner, Provenance

    metadata = not options["bare"]
    certificate, key = options["c2pa_cert"], options["c2pa_key"]
    if not options["c2pa"]:
        if certificate or key:
            raise BadOptionError(
                "--c2pa-cert and --c2pa-key need --c2pa; ask for that too."
            )
        return Provenance(metadata)
    certificate = certificate or os.environ.get(CERTIFICATE)
    key = key or os.environ.get(KEY)
    if not (certificate and key):
        raise BadOptionError(
            "--c2pa signs with a certificate and its private key, both in PEM; give "
            f"--c2pa-cert and --c2pa-key, or set {CERTIFICATE} and {KEY}; how to make "
            "them is told under 'Content credentials' in docs/security.md."
        )
    return Provenance(metadata, C2paSigner(certificate, key))
