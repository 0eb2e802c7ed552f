"""`python -m segue`: the command line, for launchers that start modules."""

from segue.cli.app import main

if __name__ == "__main__":
    main()
