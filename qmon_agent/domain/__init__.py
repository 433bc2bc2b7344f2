"""The pure floor: records, laws and words, with no file, socket, clock or thread in it."""
