// pixels: bytes packed four to a word, the lowest first.

// Byte i of a tensor, from the word that holds it: word i / 4.
fn byte_of(word: u32, i: u32) -> u32 {
    return (word >> (8u * (i % 4u))) & 0xffu;
}

// The channel that channel c comes from, where the order of the channels may be reversed.
fn source_channel(c: u32, channels: u32, reverse: u32) -> u32 {
    return select(c, channels - 1u - c, reverse != 0u);
}
