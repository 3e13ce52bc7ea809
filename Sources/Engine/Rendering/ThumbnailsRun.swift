import EngineAPI
import ImageCore

/// Small finished pictures for a gallery, from the cache where it has them.
final class ThumbnailsRun: JobRun {
    private let requests: [RenderRequest]
    private let studio: Studio
    private let cache: ThumbnailCache
    private let keys: [String]
    private var next = 0
    /// Places of requests that the cache does not have, in order.
    private var missing: [Int] = []
    private var batch: BatchRun?
    private var problem: (any Error)?
    private var estimator: ProgressEstimator
    private var began = ContinuousClock.now

    init(_ requests: [RenderRequest], in studio: Studio, cache: ThumbnailCache) {
        self.requests = requests
        self.studio = studio
        self.cache = cache
        let pipeline = studio.pipeline
        let mode = pipeline.knowsPrecision && pipeline.precision != .f32 ? " " + pipeline.precision.rawValue : ""
        keys = requests.map { RequestKey.digest(of: $0, fingerprint: studio.description.fingerprint + mode) }
        estimator = ProgressEstimator(activity: "drawing faces", total: requests.count)
    }

    func advance(_ report: (JobReport) -> Void) throws -> Bool {
        // First all that is on disk, a handful at a time, then the rest in the order given.
        if next < requests.count {
            let end = min(next + 8, requests.count)
            for index in next..<end {
                if let image = cache.image(for: keys[index]) {
                    estimator.add(units: 1, seconds: 0, counts: false)
                    send(index, image, report)
                } else {
                    missing.append(index)
                }
            }
            next = end
            return true
        }
        if batch?.isFinished ?? true { startBatch() }
        guard batch != nil else {
            if let problem { throw problem }
            return false
        }
        let clock = ContinuousClock.now
        do {
            let finished = try batch?.advance() ?? []
            estimator.add(units: finished.count, seconds: (ContinuousClock.now - clock) / .seconds(1))
            for (index, _, image) in finished {
                let small = image.fitted(width: ThumbnailCache.longestSide, height: ThumbnailCache.longestSide)
                cache.insert(small, for: keys[index])
                send(index, small, report)
            }
            if !finished.isEmpty { report(.progress(estimator.progress)) }
        } catch {
            // One face that cannot be drawn does not keep the others from it.
            problem = problem ?? error
            batch = nil
        }
        return true
    }

    /// Takes the next missing requests that share their settings and fit into one evaluation.
    private func startBatch() {
        batch = nil
        guard let first = missing.first else { return }
        let settings = requests[first].settings
        var members: [(index: Int, subject: Subject)] = []
        while let index = missing.first, members.count < BatchRun.batchSize(settings), requests[index].settings == settings {
            do {
                try Studio.check(settings)
                _ = try studio.adapter(of: requests[index].subject)
                members.append((index, requests[index].subject))
            } catch {
                problem = problem ?? error
            }
            missing.removeFirst()
        }
        if members.isEmpty, missing.isEmpty { return }
        batch = BatchRun(members, settings: settings, in: studio)
    }

    private func send(_ index: Int, _ image: RGBImage, _ report: (JobReport) -> Void) {
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        report(.thumbnail(Picture(request: requests[index], image: image, stage: .final, seconds: seconds)))
    }
}
