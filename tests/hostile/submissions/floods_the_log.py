"""A loop that prints without end."""

while True:
    print("loading the model " * 50)
