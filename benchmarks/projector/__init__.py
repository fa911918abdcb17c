"""The projector and reconstructions beside those of scikit-image and PyTomography."""
