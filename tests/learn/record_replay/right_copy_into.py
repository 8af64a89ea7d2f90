class Recorder:
    def __init__(self):
        self.kernels, self.inputs, self.outs = [], [], []

    def run(self, kernel, *inputs, out=None):
        result = kernel(*inputs)
        if out is None:
            out = result
        else:
            out[...] = result
        self.kernels.append(kernel)
        self.inputs.append(inputs)
        self.outs.append(out)
        return out

    def replay(self):
        for i in range(len(self.kernels)):
            self.outs[i][...] = self.kernels[i](*self.inputs[i])
        return self.outs[-1]
