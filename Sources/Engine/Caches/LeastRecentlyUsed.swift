/// A dictionary of bounded weight that forgets what was not asked for the longest.
struct LeastRecentlyUsed<Key: Hashable, Value> {
    private struct Entry {
        var value: Value
        var weight: Int
        var used: UInt64
    }

    /// The most that all values together may weigh.
    let limit: Int
    private(set) var weight = 0
    private var entries: [Key: Entry] = [:]
    private var clock: UInt64 = 0

    /// - Parameter limit: In the unit of the weights given with the values.
    init(limit: Int) {
        self.limit = limit
    }

    var count: Int { entries.count }

    /// The value of a key, which counts as used.
    mutating func value(for key: Key) -> Value? {
        guard entries[key] != nil else { return nil }
        clock += 1
        entries[key]?.used = clock
        return entries[key]?.value
    }

    /// Keeps a value; one that alone is over the limit is not kept.
    mutating func insert(_ value: Value, for key: Key, weight newWeight: Int) {
        remove(key)
        guard newWeight <= limit else { return }
        clock += 1
        entries[key] = Entry(value: value, weight: newWeight, used: clock)
        weight += newWeight
        while weight > limit, let oldest = entries.min(by: { $0.value.used < $1.value.used }) { remove(oldest.key) }
    }

    mutating func remove(_ key: Key) {
        if let old = entries.removeValue(forKey: key) { weight -= old.weight }
    }

    mutating func removeAll() {
        entries.removeAll()
        weight = 0
    }
}
