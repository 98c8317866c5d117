// end_winners_4: as end_4.wgsl, where the product is pooled and its winners are kept for the gradient (common/winners.wgsl).

@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> winners: array<u32>;

// Every row is one of a window.
fn store(row: u32, column: u32, sums: vec4<f32>) {}

// Ends the largest sums of a window, and writes them and which they were.
fn store_window(row: u32, column: u32, s0: vec4<f32>, s1: vec4<f32>, s2: vec4<f32>, s3: vec4<f32>) {
    let most = most_of(s0, s1, s2, s3);
    let value = ended(column, most.value);
    let at = (row * p.columns + column) / 4u;
    y[at] = value;
    winners[at] = winner_word(p.kind, most.winner, value);
}
