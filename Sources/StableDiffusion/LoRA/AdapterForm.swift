import Checkpoints

/// A matrix of an adapter as its file holds it; of a convolution's weight the columns are channels, rows and columns of the kernel.
enum StoredMatrix {
    /// [rows, columns…]
    case whole(TensorEntry)
    /// up · down: [rows, r] (or [rows, r, 1, 1]) times [r, columns…].
    case product(up: TensorEntry, down: TensorEntry)
    /// Tucker's form: Σ up[row, i] middle[i, j, y, x] down[j, channel], from [rows, r(, 1, 1)], [r, r, height, width] and [r, channels(, 1, 1)];
    /// or, as LoHa and LoKr write it, with up transposed.
    case tucker(up: TensorEntry, middle: TensorEntry, down: TensorEntry, isTransposed: Bool)

    /// Of the whole matrix.
    var shape: [Int] {
        switch self {
        case .whole(let entry): entry.shape
        case .product(let up, let down): [up.shape[0]] + down.shape.dropFirst()
        case .tucker(let up, let middle, let down, let isTransposed):
            [up.shape[isTransposed ? 1 : 0], down.shape[1]] + middle.shape.dropFirst(2)
        }
    }

    /// nil of a whole matrix.
    var rank: Int? {
        switch self {
        case .whole: nil
        case .product(_, let down), .tucker(_, _, let down, _): down.shape[0]
        }
    }

    var tensors: [TensorEntry] {
        switch self {
        case .whole(let entry): [entry]
        case .product(let up, let down): [down, up]
        case .tucker(let up, let middle, let down, _): [down, up, middle]
        }
    }

    /// What stands in the way of a matrix: the tensor, and what was expected of it.
    fileprivate var fault: (tensor: TensorEntry, expected: String)? {
        for entry in tensors where !(2...4).contains(entry.shape.count) || entry.shape.contains(0) {
            return (entry, "[out, in] or [out, in, height, width]")
        }
        switch self {
        case .whole: return nil
        case .product(let up, let down):
            let fits = up.shape[1] == down.shape[0] && up.shape.dropFirst(2).allSatisfy { $0 == 1 }
            return fits ? nil : (up, "[out, \(down.shape[0])] beside \(down.shape)")
        case .tucker(let up, let middle, let down, let isTransposed):
            let rank = down.shape[0]
            guard middle.shape.count == 4, middle.shape[0] == rank, middle.shape[1] == rank else {
                return (middle, "[\(rank), \(rank), height, width] beside \(down.shape)")
            }
            let fits =
                up.shape[isTransposed ? 0 : 1] == rank && (up.shape.dropFirst(2) + down.shape.dropFirst(2)).allSatisfy { $0 == 1 }
            return fits ? nil : (up, "\(isTransposed ? "[\(rank), out]" : "[out, \(rank)]") beside \(down.shape)")
        }
    }
}

/// How the tensors of an adapter make the change of a layer's weight.
enum AdapterForm {
    /// B A
    case lora(StoredMatrix)
    /// (B₁ A₁) ⊙ (B₂ A₂), element by element (FedPara, 2108.06098).
    case loha(StoredMatrix, StoredMatrix)
    /// W₁ ⊗ W₂, Kronecker's product (KronA, 2212.10650).
    case lokr(StoredMatrix, StoredMatrix)

    /// Puts the tensors of a layer together.
    /// - Throws: `CheckpointError` for one that is missing or does not fit the others.
    init(_ tensors: [LoRAKeys.Role: TensorEntry], path: String, file: String) throws {
        func named(_ role: LoRAKeys.Role) throws -> TensorEntry {
            guard let entry = tensors[role] else {
                let words = role == .loraA ? "the factor A (down)" : role == .loraB ? "the factor B (up)" : role.rawValue
                throw CheckpointError(file: file, problem: .unsupported(reason: "\(path): \(words) is missing"))
            }
            return entry
        }
        func matrix(
            _ up: LoRAKeys.Role, _ down: LoRAKeys.Role, _ middle: LoRAKeys.Role? = nil, whole: LoRAKeys.Role? = nil,
            isTransposed: Bool = true
        ) throws -> StoredMatrix {
            if let whole, let entry = tensors[whole] { return .whole(entry) }
            let (down, up) = (try named(down), try named(up))
            guard let middle = middle.flatMap({ tensors[$0] }) else { return .product(up: up, down: down) }
            return .tucker(up: up, middle: middle, down: down, isTransposed: isTransposed)
        }
        if tensors.keys.contains(where: { $0.rawValue.hasPrefix("hada_") }) {
            self = .loha(try matrix(.hadaW1A, .hadaW1B, .hadaT1), try matrix(.hadaW2A, .hadaW2B, .hadaT2))
        } else if tensors.keys.contains(where: { $0.rawValue.hasPrefix("lokr_") }) {
            self = .lokr(
                try matrix(.lokrW1A, .lokrW1B, whole: .lokrW1), try matrix(.lokrW2A, .lokrW2B, .lokrT2, whole: .lokrW2))
        } else {
            self = .lora(try matrix(.loraB, .loraA, .loraMid, isTransposed: false))
        }
        func refuse(_ entry: TensorEntry, _ expected: String) -> CheckpointError {
            CheckpointError(file: file, problem: .wrongShape(tensor: entry.name, expected: expected, found: entry.shape))
        }
        for case let fault? in matrices.map(\.fault) { throw refuse(fault.tensor, fault.expected) }
        switch self {
        case .lora: break
        case .loha(let first, let second):
            guard first.shape == second.shape else {
                throw refuse(second.tensors[0], "one that makes \(first.shape), as \(first.tensors[0].name) does")
            }
        case .lokr(let first, _):
            guard first.shape.count == 2 else { throw refuse(first.tensors[0], "[rows, columns]") }
        }
        guard shape.reduce(1.0, { $0 * Double($1) }) <= 0x1p40 else {
            throw refuse(self.tensors[0], "that of a part of a layer, which is smaller")
        }
    }

    var name: String {
        switch self {
        case .lora: "LoRA"
        case .loha: "LoHa"
        case .lokr: "LoKr"
        }
    }

    private var matrices: [StoredMatrix] {
        switch self {
        case .lora(let matrix): [matrix]
        case .loha(let first, let second), .lokr(let first, let second): [first, second]
        }
    }

    var tensors: [TensorEntry] { matrices.flatMap(\.tensors) }

    /// nil of LoKr with whole matrices.
    var rank: Int? { matrices.lazy.compactMap(\.rank).first }

    /// [out, in], of a convolution [out, in, height, width] or with the kernel among the columns.
    var shape: [Int] {
        switch self {
        case .lora(let matrix), .loha(let matrix, _): matrix.shape
        case .lokr(let first, let second):
            [first.shape[0].multipliedFully(by: second.shape[0]), first.shape[1].multipliedFully(by: second.shape[1])]
                + second.shape.dropFirst(2)
        }
    }
}

extension Int {
    /// The product, or the largest number where it is larger.
    fileprivate func multipliedFully(by other: Int) -> Int {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}

/// DoRA's magnitudes (2402.09353): the changed weight's rows, one for each output, get these lengths; with older files of LyCORIS it is what belongs
/// to one input that gets them.
struct Magnitude {
    let entry: TensorEntry
    let isOfOutputs: Bool

    /// nil where a layer has none.
    /// - Throws: `CheckpointError` when their number does not fit the layer.
    init?(_ tensors: [LoRAKeys.Role: TensorEntry], shape: [Int], file: String) throws {
        guard let entry = tensors[.magnitude] ?? tensors[.doraScale] else { return nil }
        self.entry = entry
        // PEFT writes [out], or [1, out, 1, 1] of a convolution; LyCORIS [out, 1, 1, 1] or [1, in, 1, 1].
        isOfOutputs = tensors[.magnitude] != nil || entry.shape.first == shape[0]
        // Where the columns are in one piece only the layer itself tells the channels.
        guard entry.count == entry.shape.max(), entry.count == shape[0] || !isOfOutputs else {
            throw CheckpointError(
                file: file,
                problem: .wrongShape(
                    tensor: entry.name, expected: "one number for each of \(shape[0]) outputs", found: entry.shape))
        }
    }
}
