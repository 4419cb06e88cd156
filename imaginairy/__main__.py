"""`python -m imaginairy` is `imagine`."""

from imaginairy.cli.imagine_cmd import imagine_cmd

imagine_cmd(prog_name="imagine")
