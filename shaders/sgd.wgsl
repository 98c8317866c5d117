// sgd: stochastic gradient descent, plain or with momentum, in place.
//
//   plain     param -= rate * grad
//   momentum  velocity = momentum * velocity - rate * grad
//             param += velocity                                  (classical)
//             param += momentum * velocity - rate * grad         (Nesterov, with the new velocity)
//
// Shapes   param, grad, velocity  any; `len` elements
//          rate                   [1]
// Mapping  one thread per element
// Source   Keras, keras.optimizers.SGD; Sutskever et al., ICML 2013

struct Params { len: u32, nesterov: u32, momentum: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> grad: array<f32>;
@group(0) @binding(2) var<storage, read> rate: array<f32>;
@group(0) @binding(3) var<storage, read_write> param: array<f32>;
@group(0) @binding(4) var<storage, read_write> velocity: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn plain(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    param[i] -= rate[0] * grad[i];
}

@compute @workgroup_size(WORKGROUP)
fn momentum(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    let pull = rate[0] * grad[i];
    let v = p.momentum * velocity[i] - pull;
    velocity[i] = v;
    param[i] += select(v, p.momentum * v - pull, p.nesterov != 0u);
}
