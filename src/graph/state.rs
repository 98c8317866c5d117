//! The store of persistent tensors that plans share by name.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytemuck::NoUninit;
use half::f16;

use crate::cpu::{Float, Storage, half};
use crate::device::Device;
use crate::gpu::{Buffer, ReadBack, block_on};
use crate::tensor::{DType, Data, HostTensor, Shape, TensorType};
use crate::{Error, Result};

/// Parameters, optimizer moments, counters, running averages: buffers on one device, by name. Plans built on
/// one store share them. Cheap to clone; clones are the same store.
#[derive(Clone, Debug)]
pub struct Params {
    device: Device,
    states: Arc<Mutex<BTreeMap<String, State>>>,
}

#[derive(Clone, Debug)]
pub(super) struct State {
    pub ty: TensorType,
    pub memory: StateMemory,
    /// Counts the changes of its value, for plans that keep what they computed from it.
    pub version: Arc<AtomicU64>,
}

/// A state's memory on its device. Plans on the CPU take the storage out while they run.
#[derive(Clone, Debug)]
pub(super) enum StateMemory {
    Gpu(Arc<Buffer>),
    F32(Arc<Mutex<Storage<f32>>>),
    F64(Arc<Mutex<Storage<f64>>>),
}

impl Params {
    /// An empty store on `device`.
    pub fn new(device: &Device) -> Params {
        Params { device: device.as_it_is(), states: Arc::default() }
    }

    /// The device that the states lie on: if it was lost, it is not the one that was [opened again](Device::reopen).
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Sets the value of a state, which is made if it is not there.
    ///
    /// # Errors
    /// [`Error::State`] if it is there with another shape or element type, [`Error::DeviceLost`] if the device was lost.
    pub fn set(&self, name: &str, value: &HostTensor) -> Result<()> {
        let dtype = match value.data() {
            Data::F32(_) | Data::F64(_) => DType::F32,
            Data::U32(_) => DType::U32,
            Data::U8(_) => DType::U8,
        };
        let ty = TensorType { shape: value.shape().clone(), dtype };
        let state = self.ensure(name, &ty)?;
        write(&state, value.data())?;
        state.version.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Makes room for a state, if it is not there. What it holds is undefined until it is set.
    ///
    /// # Errors
    /// [`Error::State`] if it is there with another type, [`Error::TooLarge`] if the device has no room.
    pub fn reserve(&self, name: &str, ty: &TensorType) -> Result<()> {
        self.ensure(name, ty).map(|_| ())
    }

    /// Overwrites the first bytes of a state of bytes, for one with room for more than it holds at a time. What lies
    /// behind them is undefined then.
    ///
    /// # Errors
    /// [`Error::State`] if there is none of that name, [`Error::HostData`] if it holds no bytes, or fewer,
    /// [`Error::DeviceLost`] if the device was lost.
    pub fn set_bytes(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let state = self.find(name)?;
        if bytes.len() > state.ty.len() || state.ty.dtype != DType::U8 {
            return Err(Error::HostData {
                tensor: format!("state '{name}'"),
                found: format!("{} bytes", bytes.len()),
                expected: format!("at most {}", state.ty),
            });
        }
        match &state.memory {
            StateMemory::Gpu(buffer) => buffer.write(bytes)?,
            StateMemory::F32(storage) => lock(storage).write_bytes(bytes),
            StateMemory::F64(storage) => lock(storage).write_bytes(bytes),
        }
        state.version.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// The value of a state, read back from the device. Floats are 64 bits wide on the reference device.
    ///
    /// # Errors
    /// [`Error::State`] if there is none of that name, [`Error::DeviceLost`] if the device was lost.
    pub fn get(&self, name: &str) -> Result<HostTensor> {
        self.start_get(name)?.wait()
    }

    /// Starts reading a state back; what runs after this call does not change what arrives.
    ///
    /// # Errors
    /// As [`Params::get`].
    pub fn start_get(&self, name: &str) -> Result<PendingState> {
        let state = self.find(name)?;
        let len = state.ty.len();
        let arriving = match &state.memory {
            StateMemory::F32(storage) => Arriving::Here(lock(storage).read(len, false)),
            StateMemory::F64(storage) => Arriving::Here(lock(storage).read(len, true)),
            StateMemory::Gpu(buffer) => Arriving::Later(buffer.read(state.ty.bytes())?),
        };
        Ok(PendingState { ty: state.ty, arriving })
    }

    /// Names of all states, in order.
    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// The type of a state, if there is one of that name.
    pub fn ty(&self, name: &str) -> Option<TensorType> {
        self.lock().get(name).map(|state| state.ty.clone())
    }

    /// The state of this name, which `initial` fills if it is made now.
    pub(super) fn require(&self, name: &str, ty: &TensorType, initial: Option<f32>) -> Result<State> {
        if self.ty(name).is_none() {
            let Some(value) = initial else {
                let problem = "has no value; set it before making the plan".into();
                return Err(Error::State { name: name.into(), problem });
            };
            let data = match ty.dtype {
                DType::F32 | DType::F16 => Data::F32(vec![value; ty.len()]),
                DType::U32 => Data::U32(vec![value as u32; ty.len()]),
                DType::U8 => Data::U8(vec![value as u8; ty.len()]),
            };
            self.set(name, &HostTensor::new(ty.shape.clone(), data))?;
        }
        self.ensure(name, ty)
    }

    fn ensure(&self, name: &str, ty: &TensorType) -> Result<State> {
        let mut states = self.lock();
        if let Some(state) = states.get(name) {
            if state.ty != *ty {
                let problem = format!("is {}, expected {ty}", state.ty);
                return Err(Error::State { name: name.into(), problem });
            }
            return Ok(state.clone());
        }
        let memory = match self.device.gpu() {
            Some(gpu) => StateMemory::Gpu(Arc::new(Buffer::storage(gpu, ty.bytes(), name)?)),
            None if self.device.is_reference() => {
                StateMemory::F64(Arc::new(Mutex::new(Storage::zeros(ty.dtype, ty.len()))))
            }
            None => StateMemory::F32(Arc::new(Mutex::new(Storage::zeros(ty.dtype, ty.len())))),
        };
        let state = State { ty: ty.clone(), memory, version: Arc::default() };
        states.insert(name.into(), state.clone());
        Ok(state)
    }

    /// The count of changes of a state that there is.
    pub(super) fn version(&self, name: &str) -> Result<Arc<AtomicU64>> {
        Ok(self.find(name)?.version)
    }

    fn find(&self, name: &str) -> Result<State> {
        let unknown = || Error::State { name: name.into(), problem: "there is none of this name".into() };
        self.lock().get(name).cloned().ok_or_else(unknown)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        self.states.lock().expect("the store's lock")
    }
}

/// A state's value on its way from the device.
#[derive(Debug)]
pub struct PendingState {
    ty: TensorType,
    arriving: Arriving,
}

#[derive(Debug)]
enum Arriving {
    Here(Data),
    Later(ReadBack),
}

impl PendingState {
    /// Blocks until the value is here.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if the device was lost.
    pub fn wait(self) -> Result<HostTensor> {
        block_on(self.arrive())
    }

    /// The value, without blocking.
    ///
    /// # Errors
    /// As [`PendingState::wait`].
    pub async fn arrive(self) -> Result<HostTensor> {
        match self.arriving {
            Arriving::Here(data) => Ok(HostTensor::new(self.ty.shape, data)),
            Arriving::Later(bytes) => Ok(from_bytes(&self.ty, &bytes.await?)),
        }
    }

    pub(super) fn here(shape: Shape, dtype: DType, data: Data) -> PendingState {
        PendingState { ty: TensorType { shape, dtype }, arriving: Arriving::Here(data) }
    }

    pub(super) fn later(ty: TensorType, bytes: ReadBack) -> PendingState {
        PendingState { ty, arriving: Arriving::Later(bytes) }
    }
}

/// The bytes of `data`, which fits, as they lie in device memory.
pub(super) fn to_bytes(dtype: DType, data: &Data) -> std::borrow::Cow<'_, [u8]> {
    let half = |x: f64| half(x).to_bits();
    match data {
        Data::F32(v) if dtype == DType::F16 => bytes_of(v.iter().map(|&x| half(x.into()))),
        Data::F64(v) if dtype == DType::F16 => bytes_of(v.iter().map(|&x| half(x))),
        Data::F32(v) => bytemuck::cast_slice(v).into(),
        Data::F64(v) => bytes_of(v.iter().map(|&x| x as f32)),
        Data::U32(v) => bytemuck::cast_slice(v).into(),
        Data::U8(v) => v.as_slice().into(),
    }
}

/// The bytes of these elements, up to a whole word.
fn bytes_of<T: NoUninit>(elements: impl Iterator<Item = T>) -> std::borrow::Cow<'static, [u8]> {
    let mut bytes: Vec<u8> = bytemuck::pod_collect_to_vec(&elements.collect::<Vec<_>>());
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.into()
}

fn from_bytes(ty: &TensorType, bytes: &[u8]) -> HostTensor {
    let data = match ty.dtype {
        DType::F32 => Data::F32(bytemuck::pod_collect_to_vec(bytes)),
        DType::F16 => {
            let halves: Vec<u16> = bytemuck::pod_collect_to_vec(bytes);
            Data::F32(halves[..ty.len()].iter().map(|&bits| f16::from_bits(bits).to_f32()).collect())
        }
        DType::U32 => Data::U32(bytemuck::pod_collect_to_vec(bytes)),
        DType::U8 => Data::U8(bytes[..ty.len()].to_vec()),
    };
    HostTensor::new(ty.shape.clone(), data)
}

fn write(State { ty, memory, .. }: &State, data: &Data) -> Result<()> {
    match memory {
        StateMemory::Gpu(buffer) => buffer.write(&to_bytes(ty.dtype, data))?,
        StateMemory::F32(storage) => lock(storage).write(data),
        StateMemory::F64(storage) => lock(storage).write(data),
    }
    Ok(())
}

pub(super) fn lock<T: Float>(storage: &Mutex<Storage<T>>) -> MutexGuard<'_, Storage<T>> {
    storage.lock().expect("a state's lock")
}
