"""The SDK's version, which stands in every manifest."""

__version__ = "0.1.0"
