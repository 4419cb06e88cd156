"""`aimg edit`: an image changed as a prompt says, all of it or a part."""

from collections.abc import Mapping
from typing import Any

import click

from imaginairy.cli.common_options import WIDE
from imaginairy.cli.completion import any_of
from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.cli.run import reporting_errors, show_log
from imaginairy.cli.sections import SectionedCommand, SectionedOption
from imaginairy.cli.stores import Stores
from imaginairy.lazy_image import is_file
from imaginairy.printable import printable
from imaginairy.prompt_fields.editing import DEFAULT_IMAGE_GUIDANCE

EDITOR = "instruct-pix2pix"
"""The model that follows instructions where none is named."""
OF_AN_INIT_IMAGE = (
    "init_image_strength", "denoising_strength", "mask_image", "mask_prompt",
    "outpaint", "image_guidance",
)  # fmt: skip
"""Options that say what stays of a picture; where one is given, that is begun from."""
NOT_TAKEN = ("prompts", "prompts_file", "init_image", "version")
OF_IMAGINE = [param for param in imagine_cmd.params if param.name not in NOT_TAKEN]


@click.command(
    "edit",
    cls=SectionedCommand,
    params=OF_IMAGINE,
    context_settings=WIDE,
)
@click.argument("picture", shell_complete=any_of((), or_file=True))
@click.argument("prompts", nargs=-1, metavar="PROMPT...")
@click.option(
    "--instruct", "instructions", multiple=True, cls=SectionedOption, section="Prompt",
    metavar="TEXT",
    help="Say what is to be done to the image, such as 'make it winter', in place of "
    "what it is to show; by a model that edits as it is told, "
    f"{EDITOR} unless --model names another. May be given several times.",
)  # fmt: skip
@click.pass_context
@reporting_errors
def edit_cmd(
    context: click.Context,
    /,
    picture: str,
    instructions: tuple[str, ...],
    **options: Any,
) -> None:
    """Change PICTURE, a path or a web address, as each PROMPT says (img2img).

    With --mask-prompt only what that describes is changed (inpainting), as in

      aimg edit cat.jpg "a cat with a red collar" --mask-prompt "collar{+5px}"

    and all else stays to the pixel; --mask-mode keep turns it round. How much of what
    is changed stays, from 0 to 1, --init-image-strength says; by default less with a
    mask than without.

      aimg edit house.jpg --instruct "make it winter"

    follows an instruction; --image-guidance says how closely it keeps to PICTURE.

      aimg edit house.jpg "give it a red roof" --model flux2-klein-4b

    does so too: to models that look at reference images, PICTURE is the first of these,
    unless something says what stays of it. --reference-image adds others.
    """
    if instructions:
        if options["prompts"]:
            raise click.UsageError(
                "A PROMPT says what PICTURE shall be and --instruct what is to be done "
                "to it; give one of them.",
                context,
            )
        options["prompts"] = instructions
        options["model"] = options.get("model") or EDITOR
    elif not options["prompts"]:
        raise click.UsageError(
            "There is neither a PROMPT nor an --instruct; say what is to be changed.",
            context,
        )
    for text in filter(is_file, options["prompts"]):
        raise click.UsageError(
            f"'{printable(text)}' is a file, and a PROMPT says in words what PICTURE "
            "shall be; edit one PICTURE at a time.",
            context,
        )
    is_seen = _looks_at_references(context.ensure_object(Stores), options)
    if is_seen and not any(options.get(name) is not None for name in OF_AN_INIT_IMAGE):
        others = options.pop("reference_images")
        context.invoke(imagine_cmd, reference_images=(picture, *others), **options)
        return
    if instructions and not is_seen and options.get("image_guidance") is None:
        options["image_guidance"] = DEFAULT_IMAGE_GUIDANCE  # which others refuse
    context.invoke(imagine_cmd, init_image=picture, **options)


def _looks_at_references(stores: Stores, options: Mapping[str, Any]) -> bool:
    """Tell whether the model that is asked for looks at reference images.

    Of a repository that is not listed that is known once it is fetched, which is done
    now, unless no more than a plan is wanted.
    """
    from imaginairy.families.table import family_named
    from imaginairy.models.own_defaults import with_own_defaults
    from imaginairy.sources.fetch import on_disk
    from imaginairy.sources.locate import locate
    from imaginairy.sources.own_default import own_default
    from imaginairy.sources.roles import DRAWS

    own = own_default()
    name = options.get("model") or (own and own.name)
    if not name:
        return False
    row = with_own_defaults(locate(DRAWS, name))
    family = family_named(row.family)
    if not (family or on_disk(row) or options["plan"] or options["ray"]):
        show_log(options["log_level"], quiet=options["quiet"])
        device, precision = options["device"], options["precision"]
        store = stores.get(device, precision, low_memory=options["low_memory"])
        beside = {each: options.get(each) for each in ("vae", "text_encoders")}
        given = {each: named for each, named in beside.items() if named}
        row = store.get(name, **given).spec
        family = family_named(row.family)
    return family is not None and family.looks_at_references(refers=row.refers)
