"""`python -m gan_topdis.cli`: the same as `gan-topdis`."""

from gan_topdis.cli import main

main(prog_name="gan-topdis")
