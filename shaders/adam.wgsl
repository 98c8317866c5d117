// adam: one step of Adam or AdamW, in place.
//
//   m = beta1 * m + (1 - beta1) * g
//   v = beta2 * v + (1 - beta2) * g^2
//   param -= rate * decay * param                                                 (AdamW: decoupled)
//   param -= rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)   (Keras)
//   param -= rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)     (PyTorch)
//
// with t = step + 1 and the old param on the right. The two forms differ in what epsilon is added to: PyTorch's
// is Keras's with epsilon * sqrt(1 - beta2^t) for epsilon, and that is how it is computed.
//
// Shapes   param, g    any; `len` elements
//          moments     all m, then all v
//          step, rate  [1]
// Two      update_two changes two parameters, as a layer's weight and bias, in one dispatch: the first `groups` workgroups
//          take the first. No more fit into the eight storage buffers that WebGPU promises. update is for a large one.
// Mapping  each thread takes ELEMENTS elements, WORKGROUP apart, to share the powers of beta
// Cost     reads 16 and writes 12 bytes per element
// Source   Kingma, Ba, ICLR 2015; Loshchilov, Hutter, ICLR 2019; keras.optimizers.Adam; torch.optim.Adam

struct Params {
    len: u32, second_len: u32, groups: u32, torch: u32, beta1: f32, beta2: f32, epsilon: f32, decay: f32,
}

const ELEMENTS = 16u;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read> rate: array<f32>;

// 1 - beta^t. Plainly:
//
//   return 1 - pow(beta, t)
//
// which loses most digits for beta near 1 and small t. So this squares like fast powers do, but keeps 1 - beta^n
// in place of beta^n, where (1 - ab) = (1 - a) + a (1 - b): sums of positive numbers, nothing cancels. The
// relative error grows by at most 5 roundings per bit of t: below 5 * log2(2t) * 2^-24. Measured for every t to
// a million and beta from 0.5 to 0.99999: below 2.3e-7, where the plain version is off by up to 1.2e-4.
fn one_minus_power(beta: f32, t: u32) -> f32 {
    var result = 0.0;        // 1 - beta^(the bits of t so far)
    var square = 1.0 - beta; // 1 - beta^(2^bit)
    for (var rest = t; rest > 0u; rest >>= 1u) {
        if (rest & 1u) == 1u { result += square * (1.0 - result); }
        square += square * (1.0 - square);
    }
    return result;
}

// What is the same for all elements of a step.
struct Constants { rate: f32, rate_t: f32, epsilon: f32 }

fn constants() -> Constants {
    let t = step[0] + 1u;
    let unbias = sqrt(one_minus_power(p.beta2, t));
    let rate_t = rate[0] * unbias / one_minus_power(p.beta1, t);
    return Constants(rate[0], rate_t, select(p.epsilon, p.epsilon * unbias, p.torch != 0u));
}

// An element's param, m and v.
struct Element { param: f32, m: f32, v: f32 }

fn stepped(old: Element, g: f32, c: Constants) -> Element {
    let m = p.beta1 * old.m + (1.0 - p.beta1) * g;
    let v = p.beta2 * old.v + (1.0 - p.beta2) * g * g;
    let param = old.param - c.rate * p.decay * old.param - c.rate_t * m / (sqrt(v) + c.epsilon);
    return Element(param, m, v);
}

@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(4) var<storage, read_write> param: array<f32>;
@group(0) @binding(5) var<storage, read_write> moments: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn update(
    @builtin(local_invocation_index) thread: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let c = constants();
    let first = group_index(group, groups) * WORKGROUP * ELEMENTS + thread;
    for (var k = 0u; k < ELEMENTS; k++) {
        let i = first + k * WORKGROUP;
        if i >= p.len { continue; }
        let v_at = p.len + i;
        let next = stepped(Element(param[i], moments[i], moments[v_at]), grad[i], c);
        param[i] = next.param;
        moments[i] = next.m;
        moments[v_at] = next.v;
    }
}

@group(0) @binding(3) var<storage, read> grad_1: array<f32>;
@group(0) @binding(4) var<storage, read> grad_2: array<f32>;
@group(0) @binding(5) var<storage, read_write> param_1: array<f32>;
@group(0) @binding(6) var<storage, read_write> moments_1: array<f32>;
@group(0) @binding(7) var<storage, read_write> param_2: array<f32>;
@group(0) @binding(8) var<storage, read_write> moments_2: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn update_two(
    @builtin(local_invocation_index) thread: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let c = constants();
    let index = group_index(group, groups);
    if index < p.groups {
        for (var k = 0u; k < ELEMENTS; k++) {
            let i = (index * ELEMENTS + k) * WORKGROUP + thread;
            if i >= p.len { continue; }
            let v_at = p.len + i;
            let next = stepped(Element(param_1[i], moments_1[i], moments_1[v_at]), grad_1[i], c);
            param_1[i] = next.param;
            moments_1[i] = next.m;
            moments_1[v_at] = next.v;
        }
        return;
    }
    for (var k = 0u; k < ELEMENTS; k++) {
        let i = ((index - p.groups) * ELEMENTS + k) * WORKGROUP + thread;
        if i >= p.second_len { continue; }
        let v_at = p.second_len + i;
        let next = stepped(Element(param_2[i], moments_2[i], moments_2[v_at]), grad_2[i], c);
        param_2[i] = next.param;
        moments_2[i] = next.m;
        moments_2[v_at] = next.v;
    }
}
