"""`python -m edgeinfer` is the command `edgeinfer`."""

from edgeinfer.cli.main import main

if __name__ == "__main__":
    main()
