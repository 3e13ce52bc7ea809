import Checkpoints
import TensorKit

extension Module {
    /// Names and shapes of all parameters, in PyTorch's order.
    public var parameterShapes: [(name: String, shape: [Int])] {
        namedParameters().map { ($0.name, $0.parameter.shape) }
    }

    /// Loads all parameters, strictly; nothing is changed unless everything fits (`load_state_dict(strict=True)`). The large ones stay in the
    /// file until a layer needs them, so the file must keep its content as long as the network is used.
    /// - Throws: `StateDictionaryMismatch` with all that is missing, unexpected or of another shape.
    public func load(_ state: StateDictionary) throws {
        let parameters = namedParameters()
        let entries = try state.matched(to: parameters.map { ($0.name, $0.parameter.shape) })
        for (item, entry) in zip(parameters, entries) {
            item.parameter.load(entry)
        }
    }

    /// Reads all parameters, as strictly as `load`, into the memory in which they lie already: no more is needed for them, and the file is not needed
    /// any longer.
    /// - Throws: `StateDictionaryMismatch` with all that is missing, unexpected or of another shape.
    public func takeValues(from state: StateDictionary) throws {
        let parameters = namedParameters()
        let entries = try state.matched(to: parameters.map { ($0.name, $0.parameter.shape) })
        for ((_, parameter), entry) in zip(parameters, entries) {
            let stored = entry.stored
            let pointer = parameter.value.pointer
            Parallel.ranges(parameter.value.count, grain: 1 << 16) { stored.read($0, pointer + $0.lowerBound) }
            stored.release()
            parameter.markChanged()
        }
    }

    /// All parameters, ready to be written as `type`: `.float32`, `.float16` or `.bfloat16`. Buffers stay float32.
    public func storedTensors(as type: ElementType = .float32) -> [StoredTensor] {
        namedParameters().map { StoredTensor($0.name, $0.parameter.value, as: $0.parameter.isBuffer ? .float32 : type) }
    }
}

extension Parameter {
    /// Takes its elements from a file. Many of them stay there until a layer needs them.
    /// - Precondition: the entry has the parameter's shape.
    public func load(_ entry: TensorEntry) {
        if entry.shape.count > 1 && entry.count >= 1 << 16 {
            load(entry.stored)
        } else {
            value = entry.tensor()
        }
    }
}
