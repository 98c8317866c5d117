// worn: masks and sunglasses on a face, all in integers, so that every device draws the same.
//
// A face has coordinates of its own, in 1/1024: u = 0, v = 0 midway between the eyes, which lie at u = -512 and 512; v = 1024
// midway between the corners of the mouth. `nose` is the u of the nose's tip, which tells how far the head is turned: what is
// worn then sits a quarter as far to that side. The chin is near v = 1650, the ears near u = -1100 and 1100.
//
// Outlines are signed distances, inside above 0, made of a few parabolas. Cloth takes the light that falls on the face: the
// brightness beneath, averaged over some width so that lips do not show, against that of the whole lower face.
//
// An operator defines `light_at(n, y, x) -> u32`, the brightness 0 to 255 of a picture at a position in 1/256 pixel.
// Twin     src/ops/worn.rs, bit for bit

struct Worn {
    soft: i32,      // how steep an edge is; 0 where nothing is worn
    reach: i32,     // over how much light is averaged, in 1/256 pixel
    ex: i32, ey: i32,                     // midway between the eyes, in 1/16 pixel
    ux: i32, uy: i32, vx: i32, vy: i32,   // 1/1024 of a unit, in 1/4096, for each 1/16 pixel
    nose: i32, light: i32,
    mask: i32,      // 0 none, 1 surgical, 2 cloth, 3 respirator, 4 bandana
    mask_colour: u32, pattern: i32, mask_u: i32, mask_v: i32, mask_size: i32,
    glasses: i32,   // 0 none, 1 angular, 2 drops, 3 round
    lens_colour: u32, lens_cover: i32,
}

// How much of a pixel is covered, of 256, at a signed distance from an outline.
fn cover(distance: i32, soft: i32) -> i32 {
    return clamp(128 + ((distance * soft) >> 6u), 0, 256);
}

// The smaller of two distances, where they meet rounded over a width of r.
fn round_min(a: i32, b: i32, r: i32) -> i32 {
    let h = max(0, r - abs(a - b));
    return min(a, b) - h * h / (4 * r);
}

// The outline of a mask at (e, v), where e = 0 is its middle.
fn mask_outline(kind: i32, e: i32, v: i32) -> i32 {
    let bow = e * e;
    var top = 340 + (bow >> 12u);
    var bottom = 1700 - (bow >> 11u);
    var side = 970 - (max(0, v - 900) >> 2u);
    if kind == 2 {
        top = 330 + (bow >> 12u) + (abs(e) >> 3u);
        bottom = 1720 - (bow >> 11u);
        side = 1010 - (max(0, v - 1000) >> 1u);
    } else if kind == 3 {
        top = 300 + (bow >> 11u);
        bottom = 1640 - (bow >> 10u);
        side = 870;
    } else if kind == 4 {
        top = 420 + (bow >> 12u);
        bottom = 2500;
        side = 1000 - ((max(0, v - 1100) * 5) >> 3u);
    }
    return round_min(round_min(v - top, bottom - v, 160), side - abs(e), 160);
}

// How bright cloth is at (x, v), of 256, where x = 0 is the line of nose and chin; `bow` is e * e.
fn mask_shade(kind: i32, x: i32, v: i32, bow: i32) -> i32 {
    var shade = 262 - (bow >> 14u) - (max(0, v - 1100) >> 4u);
    if v > 500 && v < 900 { shade += max(0, 14 - (abs(x) >> 4u)); }
    if kind == 1 && v > 500 && v < 1460 {
        let fold = (v - (bow >> 13u) + 1000) % 300; // pleats
        shade += select(select(0, 9, fold > 262), -(44 * (40 - fold)) / 40, fold < 40);
    } else if kind == 2 {
        shade -= max(0, 30 - abs(x) * 2);
    } else if kind == 3 {
        shade += max(0, 22 - (abs(x) >> 4u)) - max(0, 30 - abs(v - 930 - (bow >> 13u)) * 2);
    } else if kind == 4 {
        let fold = (abs(x) + (v >> 1u)) & 511;
        shade += (abs(fold - 256) >> 3u) - 16;
    }
    return shade;
}

// What the cloth's pattern adds at (x, v): 0 none, 1 stripes, 2 dots, 3 checks.
fn mask_pattern(pattern: i32, x: i32, v: i32) -> i32 {
    let across = (x + 4096) & 127;
    let down = v & 127;
    if pattern == 1 { return select(0, -28, down < 40); }
    if pattern == 2 {
        let r = (across - 64) * (across - 64) + (down - 64) * (down - 64);
        return clamp((1200 - r) >> 3u, 0, 70);
    }
    if pattern == 3 { return select(0, -18, across < 64) + select(0, -18, down < 64); }
    return 0;
}

// The outline of a glass; `across` from its centre away from the nose, `down` from its centre.
fn glass_outline(kind: i32, across: i32, down: i32) -> i32 {
    if kind == 1 { return round_min(420 - abs(across + (down >> 3u)), 265 - abs(down), 260); }
    var width = 400;
    var height = 370;
    var x = across;
    if kind == 2 { x += (down * 3) >> 4u; height = 350; width = 430; } else { width = 350; }
    let e = 1024 - x * x / ((width * width) >> 10u) - down * down / ((height * height) >> 10u);
    return (e * 350) >> 11u;
}

fn channel_of(colour: u32, c: u32) -> i32 {
    return i32((colour >> (8u * c)) & 255u);
}

// `sum`, each channel of picture n at this position times 65536, with what is worn over it.
fn with_worn(n: u32, o: Worn, at_y: i32, at_x: i32, sum: vec4<u32>) -> vec4<u32> {
    let px = (at_x >> 4u) - o.ex;
    let py = (at_y >> 4u) - o.ey;
    let u = clamp((o.ux * px + o.uy * py) >> 12u, -4096, 4096);
    let v = clamp((o.vx * px + o.vy * py) >> 12u, -4096, 4096);
    if abs(u) > 2200 || v < -900 || v > 2700 { return sum; }
    var y = vec4<i32>(sum >> vec4(8u));
    // How dark or bright the photo is as a whole.
    let exposure = clamp(128 + o.light * 128 / 150, 140, 290);

    if o.mask > 0 {
        let mu = ((u - o.mask_u) * o.mask_size) >> 10u;
        let mv = v - o.mask_v;
        let e = mu - (o.nose >> 2u);
        let x = mu - ((o.nose * max(0, 1024 - abs(mv - 640))) >> 10u);
        let distance = mask_outline(o.mask, e, mv);
        var covered = cover(distance, o.soft);
        // Loops to the ears, but not past the far side of a turned head.
        let seen = o.nose * e < 140000;
        if o.mask < 4 && covered < 256 && seen && abs(e) > 650 && abs(e) < 1130 {
            let upper = 15 - abs(mv - 560 + (((abs(e) - 850) * 3) >> 3u));
            let lower = 15 - ((abs(mv - 1240 + (abs(e) - 780) * 2) * 7) >> 4u);
            covered = max(covered, cover(max(upper, lower), o.soft) * 7 / 8);
        }
        // A thin shadow on the skin along the edge.
        let shadow = clamp(70 + distance, 0, 70) * 40 / 70;
        y = (y * (256 - shadow)) >> vec4(8u);
        if covered > 0 {
            var sum_light = 0;
            for (var k = 0u; k < 9u; k++) {
                let i = i32(k / 3u) - 1;
                let j = i32(k % 3u) - 1;
                let weight = (2 - abs(i)) * (2 - abs(j));
                sum_light += weight * i32(light_at(n, at_y + i * o.reach, at_x + j * o.reach));
            }
            let ratio = clamp(sum_light * 16 / max(o.light, 1), 110, 380);
            let lit = 256 + (((ratio - 256) * 5) >> 3u);
            let grain = i32((((u32(at_x >> 8u) * 73856093u) ^ (u32(at_y >> 8u) * 19349663u)) >> 13u) & 7u) - 4;
            let shade = max(0, mask_shade(o.mask, x, mv, e * e) + grain);
            let bright = (((shade * lit) >> 8u) * exposure) >> 8u;
            let pattern = mask_pattern(o.pattern, x, mv);
            for (var c = 0u; c < 4u; c++) {
                let colour = clamp(((channel_of(o.mask_colour, c) + pattern) * bright) >> 8u, 0, 255);
                y[c] = (y[c] * (256 - covered) + colour * 256 * covered) >> 8u;
            }
        }
    }

    if o.glasses > 0 {
        let gu = u - (o.nose >> 2u);
        let across = abs(gu) - 525;
        let down = v - 30;
        let distance = glass_outline(o.glasses, across, down);
        let lens = (cover(distance, o.soft) * (o.lens_cover - (clamp(down + 200, 0, 600) >> 4u))) >> 8u;
        let bridge = min(26 - abs(v + 40 + (abs(gu) >> 3u)), 240 - abs(gu));
        let temple = min(min(34 - abs(v + 70), abs(gu) - 880), 1010 - abs(gu));
        let rim = min(distance + 38, 8 - distance);
        let frame = cover(max(max(rim, bridge), temple), o.soft);
        // A streak of light on the upper part of a glass.
        let streak = max(0, 22 - (abs(across + down + 180) >> 2u)) + max(0, 24 - ((down + 260) >> 3u));
        for (var c = 0u; c < 4u; c++) {
            let glass = ((channel_of(o.lens_colour, c) + streak) * exposure) >> 8u;
            y[c] = (y[c] * (256 - lens) + glass * 256 * lens) >> 8u;
            let rim_colour = (((channel_of(o.lens_colour, c) * 5) >> 3u) * exposure) >> 8u;
            y[c] = (y[c] * (256 - frame) + rim_colour * 256 * frame) >> 8u;
        }
    }
    return vec4<u32>(y) << vec4(8u);
}

// Colours of cloth, red lowest.
const CLOTH = array<u32, 12>(
    0xe6e6e4u, 0xd9bf99u, 0xa8ba84u, 0xb7abe0u, 0x2a2626u, 0x73706eu,
    0x5a3428u, 0x302a96u, 0x96b4c8u, 0x46605au, 0x784660u, 0x3c4623u,
);
// Colours of glass.
const GLASS = array<u32, 4>(0x1a1818u, 0x1c2838u, 0x242c24u, 0x382c24u);

// Of red, green and blue in 0..=255.
fn brightness(rgb: vec3<u32>) -> u32 {
    return (rgb.x * 77u + rgb.y * 150u + rgb.z * 29u) >> 8u;
}

// A colour, each channel changed by up to `most`, and drawn towards grey where the photo has no colours (chroma below 256).
fn dyed(colour: u32, word: u32, most: i32, chroma: i32) -> u32 {
    var rgb = vec3<i32>();
    for (var c = 0u; c < 3u; c++) {
        let off = (i32((word >> (8u * c)) & 255u) - 128) * most / 128;
        rgb[c] = clamp(channel_of(colour, c) + off, 0, 255);
    }
    let grey = i32(brightness(vec3<u32>(rgb)));
    rgb = grey + (((rgb - grey) * chroma) >> vec3(8u));
    let bytes = vec3<u32>(rgb);
    return bytes.x | (bytes.y << 8u) | (bytes.z << 16u);
}

fn below(word: u32, count: u32) -> u32 {
    return multiply_wide(word, count).y;
}

// What a face wears, from ten words about the face and eight random ones; `masks` and `glasses` are shares in 2^-24.
fn dressed(face: array<i32, 10>, first: vec4<u32>, second: vec4<u32>, masks: u32, glasses: u32) -> Worn {
    var o = Worn();
    let has_mask = (first.x >> 8u) < masks;
    let has_glasses = (second.x >> 8u) < glasses;
    if face[0] == 0 || !(has_mask || has_glasses) { return o; }
    o.reach = (face[0] * 27) >> 3u;
    o.soft = (face[0] * (140 + i32(second.w & 127u))) >> 8u;
    o.ex = face[1]; o.ey = face[2];
    o.ux = face[3]; o.uy = face[4]; o.vx = face[5]; o.vy = face[6];
    o.nose = face[7]; o.light = face[8];
    if has_mask {
        o.mask = 1 + i32(below(first.y, 4u));
        let pick = first.y << 2u;
        var colour = below(pick, 6u);
        if o.mask == 2 { colour = 3u + below(pick, 9u); }
        if o.mask == 3 { colour = select(4u, 0u, below(pick, 4u) > 0u); }
        if o.mask == 4 { colour = 4u + below(pick, 8u); }
        if o.mask == 2 || o.mask == 4 { o.pattern = max(0, i32(below(first.y << 8u, 5u)) - 1); }
        var cloth = CLOTH;
        o.mask_colour = dyed(cloth[colour], first.z, 18, face[9]);
        o.mask_u = i32(below(first.w, 81u)) - 40;
        o.mask_v = i32(below(first.w << 8u, 121u)) - 60;
        o.mask_size = 970 + i32(below(first.w << 16u, 109u));
    }
    if has_glasses {
        o.glasses = 1 + i32(below(second.y, 3u));
        var glass = GLASS;
        o.lens_colour = dyed(glass[below(second.y << 2u, 4u)], second.z, 8, face[9]);
        o.lens_cover = 215 + i32(below(second.y << 8u, 42u));
    }
    return o;
}
