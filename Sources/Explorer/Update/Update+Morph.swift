import EngineAPI
import ImageCore
import ScreenModel

extension ExplorerModel {
    /// The walk that should stand on the screen.
    private var wishedMorph: MorphRequest? {
        guard let trail, let a = ends.a, let b = ends.b else { return nil }
        return MorphRequest(from: a.code, to: b.code, frames: morph.count, path: morph.path, settings: trail.step.settings)
    }

    /// Starts the walk when somebody looks at it and it is another one than before.
    mutating func wantMorph() -> [ExplorerEffect] {
        guard screen == .morph, let wished = wishedMorph, wished != morph.request else { return [] }
        return startMorph(wished)
    }

    private mutating func startMorph(_ request: MorphRequest) -> [ExplorerEffect] {
        let old = morph.request
        let place = morph.frames.count > 1 ? Float(morph.selected) / Float(morph.frames.count - 1) : 0
        morph.request = request
        morph.failure = nil
        morph.wasCancelled = false
        morph.progress = nil
        morph.frames = Array(repeating: nil, count: request.frames)
        morph.stepSizes = Array(repeating: nil, count: request.frames - 1)
        // The same place of the walk, if it is the same walk in other steps.
        let isSameWalk = old?.from == request.from && old?.to == request.to
        morph.selected = isSameWalk ? Int((place * Float(request.frames - 1)).rounded()) : 0
        if !isSameWalk { morph.playing = nil }
        let id = newJob(.morph)
        morph.job = id
        return [.submit(.morph(request), as: id)]
    }

    mutating func takeFrame(_ frame: MorphFrame, of id: JobID) {
        guard id == morph.job, morph.frames.indices.contains(frame.index), let request = morph.request else { return }
        let key = pictures.add(frame.image, finishedFor: RenderRequest(subject: .code(frame.code), settings: request.settings))
        morph.frames[frame.index] = Morph.Frame(position: frame.position, code: frame.code, picture: key)
        for left in [frame.index - 1, frame.index] where morph.stepSizes.indices.contains(left) {
            if let a = morph.frames[left], let b = morph.frames[left + 1], let imageA = pictures.image(a.picture),
                let imageB = pictures.image(b.picture)
            {
                morph.stepSizes[left] = Self.difference(imageA, imageB)
            }
        }
    }

    /// The engine has measured the steps of the walk: by the space's face embedder where it has one.
    mutating func take(_ pacing: MorphPacing, of id: JobID) {
        guard id == morph.job, pacing.steps.count == morph.stepSizes.count else { return }
        morph.stepSizes = pacing.steps
        guard morph.request?.path == .even else { return }
        let figure = { (value: Float) in Format.fixed(value, 2) }
        say(
            "largest step \(figure(pacing.unevenness)) times the mean, before \(figure(pacing.unevennessBefore)) · \(pacing.distance)"
        )
    }

    /// Root mean square of the change of the pixels, 0...1, over a grid of at most 64 x 64 places.
    static func difference(_ a: RGBImage, _ b: RGBImage) -> Float? {
        guard a.width == b.width, a.height == b.height else { return nil }
        let stepX = max(1, a.width / 64)
        let stepY = max(1, a.height / 64)
        var sum: Float = 0
        var count: Float = 0
        a.pixels.withUnsafeBufferPointer { left in
            b.pixels.withUnsafeBufferPointer { right in
                for y in stride(from: stepY / 2, to: a.height, by: stepY) {
                    for x in stride(from: stepX / 2, to: a.width, by: stepX) {
                        let base = (y * a.width + x) * 3
                        for channel in 0..<3 {
                            let change = Float(left[base + channel]) - Float(right[base + channel])
                            sum += change * change
                        }
                        count += 3
                    }
                }
            }
        }
        return (sum / count).squareRoot() / 255
    }

    // MARK: The player

    mutating func togglePlay() {
        if morph.playing != nil {
            morph.playing = nil
        } else {
            morph.playing = morph.selected >= morph.count - 1 ? -1 : 1
            morph.nextFrameAt = now + Morph.secondsPerFrame
        }
    }

    /// Goes on to the next finished frame when its time has come, and turns at the ends.
    mutating func advanceMorph() {
        guard let direction = morph.playing, morph.nextFrameAt <= now else { return }
        morph.nextFrameAt = max(morph.nextFrameAt + Morph.secondsPerFrame, now)
        guard morph.finishedCount > 1 else { return }
        if let next = nextFinished(from: morph.selected, direction) {
            morph.selected = next
        } else if let next = nextFinished(from: morph.selected, -direction) {
            morph.playing = -direction
            morph.selected = next
        }
    }

    private func nextFinished(from place: Int, _ direction: Int) -> Int? {
        var index = place + direction
        while morph.frames.indices.contains(index) {
            if morph.frames[index] != nil { return index }
            index += direction
        }
        return nil
    }

    mutating func moveFrame(by step: Int) {
        morph.playing = nil
        morph.selected = (morph.selected + step).clamped(to: 0...max(0, morph.count - 1))
    }

    mutating func setFrameCount(_ count: Int) {
        morph.count = count.clamped(to: Morph.counts)
        if ends.a == nil || ends.b == nil { morph.selected = min(morph.selected, morph.count - 1) }
    }

    /// Opens the frame in hand in Explore; where the walk failed or was stopped and the frame is not there, draws the walk again.
    mutating func openFrame() -> [ExplorerEffect] {
        if morph.failure != nil || morph.wasCancelled,
            !(morph.frames.indices.contains(morph.selected) && morph.frames[morph.selected] != nil)
        {
            return wishedMorph.map { startMorph($0) } ?? []
        }
        guard morph.frames.indices.contains(morph.selected), let frame = morph.frames[morph.selected], let step = step(of: frame)
        else { return [] }
        screen = .explore
        morph.playing = nil
        brood = nil
        return commit(step)
    }

    /// What stands below the walk: how far it is.
    var morphStatus: String {
        if morph.failure != nil { return "failed · \(key(.openFrame)) tries again" }
        if morph.job != nil {
            let left = morph.progress?.secondsLeft.map { " · \(Format.duration($0)) left" } ?? ""
            return "\(morph.finishedCount) of \(morph.frames.count)\(left)"
        }
        if morph.wasCancelled {
            return "stopped · \(morph.finishedCount) of \(morph.frames.count) kept · \(key(.openFrame)) goes on"
        }
        return "\(morph.finishedCount) frames" + (morph.evenness.map { " · evenness \(Format.similarity($0))" } ?? "")
    }
}
