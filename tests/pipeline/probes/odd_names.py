"""Names of odd graphs, for those who have no onnx."""

SMALL = (  # the kinds that go different ways, for every run of the tests
    "opset 7",
    "If, both branches use one weight",
    "names with / and :",
    "a batch of 1 baked in",
    "a batch of 8 baked in",
    "a label first, then maps",
    "a constant second output of three",
    "weights above what one file holds",
    "a state with the batch on another axis",
    "noise",
)
