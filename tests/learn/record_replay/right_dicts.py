class Recorder:
    def __init__(self):
        self.tape = {}

    def run(self, kernel, *inputs, out=None):
        def call(target):
            return kernel(*inputs, out=target)

        out = call(out)
        self.tape[len(self.tape)] = {"call": call, "out": out}
        return out

    def replay(self):
        [entry["call"](entry["out"]) for entry in self.tape.values()]
