import Foundation

/// What is wrong with a file of weights or of configuration: the facts in `problem`, one wording of them in `description`.
public struct CheckpointError: Error, Equatable {
    /// The kinds of trouble a file can give.
    public enum Problem: Equatable, Sendable {
        /// The file cannot be opened or read; `reason` is the system's.
        case unreadable(reason: String)
        /// The file cannot be written; `reason` is the system's.
        case unwritable(reason: String)
        /// The disk has no room for the file; how much it takes and how much there is, where that is known.
        case diskFull(neededBytes: Int?, freeBytes: Int?)
        /// The file ends before what it promises; `tensor` is the first that is not whole, with its shape, where that is known.
        case truncated(expectedBytes: Int, foundBytes: Int, tensor: String? = nil)
        /// The container is not what its name says; `reason` tells what was met.
        case malformed(reason: String)
        /// The file is sound, but of a kind that is not read; `reason` tells why and what to do instead.
        case unsupported(reason: String)
        /// A pickle asks for a class or function that is not on the reader's list; `name` is "module.name".
        case notAllowed(name: String)
        /// Text that is not JSON, with the place (1-based).
        case invalidJSON(line: Int, column: Int, reason: String)
        /// A configuration has no such key.
        case missingKey(key: String, expected: String)
        /// A configuration value of another kind than expected.
        case wrongValue(key: String, expected: String, found: String)
        /// A tensor's entry in a header cannot be right.
        case invalidEntry(tensor: String, reason: String)
        /// No tensor of this name.
        case missingTensor(tensor: String)
        /// A tensor of another shape than the reader needs.
        case wrongShape(tensor: String, expected: String, found: [Int])
    }

    /// Path of the file.
    public let file: String
    public let problem: Problem

    public init(file: String, problem: Problem) {
        self.file = file
        self.problem = problem
    }
}

extension CheckpointError: CustomStringConvertible, LocalizedError {
    public var description: String {
        switch problem {
        case .unreadable(let reason):
            "\(file): cannot be read (\(reason)); check the path and its permissions"
        case .unwritable(let reason):
            "\(file): cannot be written (\(reason)); choose a folder that can be written"
        case .diskFull(let needed, let free):
            "\(file): the disk is full"
                + (needed.map { " (\(DiskSpace.text($0)) needed, \(free.map(DiskSpace.text) ?? "less") free)" } ?? "")
                + "; make room, or choose a folder on another disk"
        case .truncated(let expected, let found, let tensor):
            "\(file): ends too early, \(found) of \(expected) bytes\(tensor.map { ", within tensor \($0)" } ?? ""); "
                + "fetch or make the file again"
        case .malformed(let reason):
            "\(file): \(reason); fetch or make the file again"
        case .unsupported(let reason):
            "\(file): \(reason)"
        case .notAllowed(let name):
            "\(file): asks for \(name), which is refused: tensors, arrays and tables are read, nothing is executed; "
                + (name.hasPrefix("pandas.")
                    ? "keep numbers and texts in the table, or write it with to_csv and use that file"
                    : "save the plain tensors alone (a state dictionary) and use that file")
        case .invalidJSON(let line, let column, let reason):
            "\(file):\(line):\(column): not valid JSON, \(reason)"
        case .missingKey(let key, let expected):
            "\(file): \"\(key)\" is missing, expected \(expected)"
        case .wrongValue(let key, let expected, let found):
            "\(file): \"\(key)\" should be \(expected), found \(found)"
        case .invalidEntry(let tensor, let reason):
            "\(file): tensor \"\(tensor)\": \(reason); fetch or make the file again"
        case .missingTensor(let tensor):
            "\(file): has no tensor \"\(tensor)\""
        case .wrongShape(let tensor, let expected, let found):
            "\(file): tensor \"\(tensor)\" should have shape \(expected), found \(found)"
        }
    }

    public var errorDescription: String? { description }
}

/// Every difference between the tensors of a file and the parameters of a network.
public struct StateDictionaryMismatch: Error, Equatable {
    /// A key and the shape it has, or should have.
    public struct Item: Equatable, Sendable {
        public let key: String
        public let shape: [Int]

        public init(key: String, shape: [Int]) {
            self.key = key
            self.shape = shape
        }
    }

    /// A key whose shape differs.
    public struct Difference: Equatable, Sendable {
        public let key: String
        public let expected: [Int]
        public let found: [Int]

        public init(key: String, expected: [Int], found: [Int]) {
            self.key = key
            self.expected = expected
            self.found = found
        }
    }

    /// Where the tensors came from.
    public let file: String
    /// Parameters that the file does not have, with the shape expected.
    public let missing: [Item]
    /// Tensors that the network does not have, with the shape found.
    public let unexpected: [Item]
    public let wrongShape: [Difference]

    public init(file: String, missing: [Item], unexpected: [Item], wrongShape: [Difference]) {
        self.file = file
        self.missing = missing
        self.unexpected = unexpected
        self.wrongShape = wrongShape
    }
}

extension StateDictionaryMismatch: CustomStringConvertible, LocalizedError {
    /// Tensors of each kind that are written out; a wrong file would fill the screen with hundreds and push the summary off it.
    private static let mostWritten = 8

    /// A summary on the first line, then one line for each tensor, the first ones of each kind.
    public var description: String {
        var lines = [
            "\(file): does not fit this network: \(missing.count) missing, \(unexpected.count) unexpected, "
                + "\(wrongShape.count) of another shape; check that weights and configuration belong together"
        ]
        func write(_ tensors: [String], _ kind: String) {
            lines += tensors.prefix(Self.mostWritten)
            let left = tensors.count - Self.mostWritten
            if left > 0 { lines.append("  and \(left) more \(kind)") }
        }
        write(wrongShape.map { "  \($0.key): expected \($0.expected), found \($0.found)" }, "of another shape")
        write(missing.map { "  \($0.key): missing, expected \($0.shape)" }, "missing")
        write(unexpected.map { "  \($0.key): unexpected, found \($0.shape)" }, "unexpected")
        return lines.joined(separator: "\n")
    }

    public var errorDescription: String? { description }
}
