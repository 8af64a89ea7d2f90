"""Experiments on networks and their depth; `scratchnet NAME` runs one.

A demo is a folder, listed in `command_line.DEMOS`. In its `experiment.py` the function `run`
computes, in `report.py` `report` prints, in `figures.py` `plot` draws, and `command.py` wires them:
the parameters of `command` are the options of the command line. What the demos share stands beside
the folders.

    def run(depths, seed=0, seeds=10, backend="auto", advance=no_progress) -> Result:
        ...
        fit(model, X, y, epochs=EPOCHS, callbacks=[lambda *_: advance(note=f"depth {depth}")])

    def report(result: Result, console: Console) -> None: ...

    @styled
    def plot(result: Result) -> dict[str, Figure]: ...

    def command(
        depths: Annotated[str, typer.Option("--depths", help="Hidden layers.")] = "1,2,4,8",
        backend: options.Backend = "auto",
        seed: options.Seed = 0,
        seeds: options.Seeds = 10,
        out: options.Out = Path("runs/spiral"),
        json: options.Json = False,
        show: options.Show = False,
    ) -> None:
        "What `scratchnet spiral --help` says first."
        check_writable(out)
        chosen = options.positive_integers("--depths", depths)
        console = console_for(json)
        with progress("training", total=len(chosen) * EPOCHS) as advance:
            result = run(chosen, seed, seeds, backend, advance)
        report(result, console)
        deliver(out, record(result), plot(result), console, json=json, show=show)
"""
