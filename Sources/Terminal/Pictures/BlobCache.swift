/// Encoded pictures by name, the longest unused ones dropped first.
struct BlobCache {
    private var blobs: [PictureEncoder.Key: (blob: PictureBlob, used: UInt64)] = [:]
    private var bytes = 0
    private var clock: UInt64 = 0
    private let capacity: Int

    /// - Parameter capacity: bytes that may be kept; at least the newest blob always is.
    init(capacity: Int) {
        self.capacity = capacity
    }

    func contains(_ key: PictureEncoder.Key) -> Bool { blobs[key] != nil }

    mutating func blob(for key: PictureEncoder.Key) -> PictureBlob? {
        guard let entry = blobs[key] else { return nil }
        clock += 1
        blobs[key]?.used = clock
        return entry.blob
    }

    mutating func insert(_ blob: PictureBlob, for key: PictureEncoder.Key) {
        if let old = blobs.removeValue(forKey: key) { bytes -= old.blob.count }
        clock += 1
        blobs[key] = (blob, clock)
        bytes += blob.count
        guard bytes > capacity else { return }
        for (old, entry) in blobs.sorted(by: { $0.value.used < $1.value.used }) {
            if bytes <= capacity * 3 / 4 || old == key { break }
            bytes -= entry.blob.count
            blobs[old] = nil
        }
    }
}
