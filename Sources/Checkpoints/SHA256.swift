import Foundation

/// The SHA-256 digest (FIPS 180-4) of files, for the sums in `space.json`. It guards against damage, not against forgery.
public struct SHA256 {
    private var state: [UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]

    private static let constants: [UInt32] = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ]

    /// Bytes after which a reader of a large file is told how far it is.
    private static let piece = 64 << 20

    /// The digest of a file as 64 lower-case hexadecimal digits.
    /// - Parameters:
    ///   - url: the file.
    ///   - progress: is told how many bytes of how many were read, and may end it by throwing.
    /// - Returns: the digest.
    /// - Throws: `CheckpointError` when the file cannot be read, and what `progress` throws.
    public static func hexDigest(of url: URL, progress: ((_ done: Int, _ total: Int) throws -> Void)? = nil) throws -> String {
        let file = try MappedFile(url)
        var digest = SHA256()
        let full = file.bytes.count / 64 * 64
        for start in stride(from: 0, to: full, by: piece) {
            let range = start..<min(full, start + piece)
            if let base = file.bytes.baseAddress { digest.absorb(base + start, blocks: range.count / 64) }
            file.letGo(range)
            try progress?(range.upperBound, file.bytes.count)
        }
        return digest.finish(UnsafeRawBufferPointer(rebasing: file.bytes[full...]), count: file.bytes.count)
    }

    /// The digest of bytes as 64 lower-case hexadecimal digits.
    public static func hexDigest(of bytes: UnsafeRawBufferPointer) -> String {
        var digest = SHA256()
        let full = bytes.count / 64 * 64
        if let base = bytes.baseAddress { digest.absorb(base, blocks: full / 64) }
        return digest.finish(UnsafeRawBufferPointer(rebasing: bytes[full...]), count: bytes.count)
    }

    /// Takes the last bytes, fewer than a block, of `count` in all.
    private mutating func finish(_ rest: UnsafeRawBufferPointer, count: Int) -> String {
        // The rest, a single 1 bit, zeros, and the length in bits, big-endian, at the end of a block.
        var tail = [UInt8](rest) + [0x80]
        tail += [UInt8](repeating: 0, count: (120 - tail.count) % 64)
        tail += (0..<8).map { UInt8(truncatingIfNeeded: (count * 8) >> (56 - 8 * $0)) }
        tail.withUnsafeBytes { buffer in
            if let base = buffer.baseAddress { absorb(base, blocks: tail.count / 64) }
        }
        let digits = Array("0123456789abcdef")
        return String(state.flatMap { word in (0..<8).map { digits[Int(word >> UInt32(28 - 4 * $0)) & 15] } })
    }

    private mutating func absorb(_ source: UnsafeRawPointer, blocks: Int) {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { w in
            Self.constants.withUnsafeBufferPointer { k in
                for block in 0..<blocks {
                    for t in 0..<16 {
                        w[t] = UInt32(bigEndian: source.loadUnaligned(fromByteOffset: block * 64 + t * 4, as: UInt32.self))
                    }
                    for t in 16..<64 {
                        let s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ (w[t - 15] >> 3)
                        let s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ (w[t - 2] >> 10)
                        w[t] = w[t - 16] &+ s0 &+ w[t - 7] &+ s1
                    }
                    compress(UnsafeBufferPointer(w), k)
                }
            }
        }
    }

    private mutating func compress(_ w: UnsafeBufferPointer<UInt32>, _ k: UnsafeBufferPointer<UInt32>) {
        var a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7]
        for t in 0..<64 {
            let s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
            let t1 = h &+ s1 &+ ((e & f) ^ (~e & g)) &+ k[t] &+ w[t]
            let s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
            let t2 = s0 &+ ((a & b) ^ (a & c) ^ (b & c))
            h = g
            g = f
            f = e
            e = d &+ t1
            d = c
            c = b
            b = a
            a = t1 &+ t2
        }
        state[0] &+= a
        state[1] &+= b
        state[2] &+= c
        state[3] &+= d
        state[4] &+= e
        state[5] &+= f
        state[6] &+= g
        state[7] &+= h
    }
}

@inline(__always)
private func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 { word >> count | word << (32 - count) }
