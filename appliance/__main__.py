"""``python -m appliance`` is ``custos``: the same command line, for where no script was installed."""

from appliance.cli import main

if __name__ == "__main__":
    main()
