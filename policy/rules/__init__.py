"""The rules of the pack, by what they keep safe."""
