"""`python -m api.cli` is `santu`."""

from api.cli import main

main()
