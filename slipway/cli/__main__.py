from slipway.cli.main import slipway

if __name__ == "__main__":
    slipway(prog_name="slipway")
