extension Benchmark {
    static let text = Benchmark(name: "text", summary: "one prompt through the text model") { try $0.text() }
}

extension BenchSuite {
    fileprivate func text() throws -> [BenchResult] {
        let pipeline = try pipeline()
        let tokens = pipeline.tokenizer.encode(try defaults()?.prompt ?? "photo of a person").ids
        let samples = try stopwatch.milliseconds { _ in _ = pipeline.textModel([tokens]) }
        return [BenchResult(name: "text", unit: "ms", samples: samples, work: "1 prompt of \(tokens.count) tokens")]
    }
}
