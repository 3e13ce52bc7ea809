import Checkpoints
import Foundation
import NumericalTesting
import StableDiffusion
import TensorKit
import Testing

@Suite struct SchedulerTests {
    /// A traced run of a scheduler of diffusers (Fixtures/make_schedules.py).
    private struct Trace {
        let key: String
        let kind: String
        let steps: Int
        let configuration: JSONConfiguration
        /// How many samples, outputs, estimates, noises and inputs there are.
        let rows: [Int]

        /// The tensors of the five parts; nil where a part is empty.
        func parts(_ arrays: StateDictionary) throws -> [Tensor?] {
            let all = try arrays.entry(key).tensor()
            var position = 0
            return rows.map { count in
                defer { position += count }
                return count > 0 ? all.rows(position..<(position + count)) : nil
            }
        }

        func makeScheduler() throws -> any Scheduler {
            try #require(SchedulerKind(rawValue: kind)).makeScheduler(configuration: configuration, steps: steps)
        }
    }

    private func traces() throws -> [Trace] {
        let text = try String(contentsOf: fixture("schedules.json"), encoding: .utf8)
        return try JSONConfiguration(text: "{\"cases\":\(text)}", file: "schedules.json").objects("cases").map {
            try Trace(
                key: $0.require("key"), kind: $0.require("kind"), steps: $0.require("steps"),
                configuration: $0.object("configuration"), rows: $0.require("rows"))
        }
    }

    @Test(arguments: SchedulerKind.allCases) func everyStepEqualsThatOfDiffusers(kind: SchedulerKind) throws {
        let arrays = try StateDictionary(safetensors: fixture("schedules.safetensors"))
        let traces = try traces().filter { $0.kind == kind.rawValue }
        #expect(traces.count > 10)
        for trace in traces {
            var scheduler = try trace.makeScheduler()
            let timesteps = try arrays.entry(trace.key + "/timesteps").tensor()
            let found = scheduler.timesteps + [scheduler.initNoiseSigma]
            #expect(found.count == timesteps.count, "\(trace.key)")
            guard found.count == timesteps.count else { continue }
            for (a, b) in zip(found, timesteps.array) { #expect(abs(a - b) <= 1e-6 * max(1, b), "\(trace.key) time step \(b)") }
            let parts = try trace.parts(arrays)
            let (samples, outputs) = (try #require(parts[0]), try #require(parts[1]))
            let (originals, noises, inputs) = (parts[2], parts[3], parts.count > 4 ? parts[4] : nil)
            // diffusers takes the difference of samples of some thousands in float32; so much of it is rounding.
            let tolerance: Float = scheduler.initNoiseSigma > 1000 ? 2e-4 : 1e-5
            var sample = samples.rows(0..<1)
            for step in 0..<scheduler.timesteps.count {
                #expect(scheduler.stepIndex == step && !scheduler.isFinished)
                let row = step..<(step + 1)
                if let inputs {
                    expectClose(
                        "\(trace.key) input \(step)", scheduler.scaleModelInput(sample), inputs.rows(row), tolerance: tolerance)
                }
                var isAsked = false
                let result = scheduler.step(modelOutput: outputs.rows(row), sample: sample) {
                    #expect(!isAsked, "\(trace.key) asks for noise twice in a step")
                    isAsked = true
                    guard let noises, step < noises.shape[0] else {
                        Issue.record("\(trace.key) asked for noise in step \(step)")
                        return Tensor(zeros: sample.shape)
                    }
                    return noises.rows(row)
                }
                expectClose(
                    "\(trace.key) sample \(step + 1)", result.prevSample, samples.rows((step + 1)..<(step + 2)),
                    tolerance: tolerance)
                if let originals {
                    expectClose(
                        "\(trace.key) original \(step)", result.predOriginalSample, originals.rows(row), tolerance: tolerance)
                }
                sample = result.prevSample
            }
            #expect(scheduler.isFinished)
        }
    }

    /// Two runs of one sampler, stepped in turn, do not disturb each other, and a copy goes on from where it was made.
    @Test func runsAreValues() throws {
        let configuration = try JSONConfiguration(text: "{}", file: "scheduler_config.json")
        var first: any Scheduler = try SchedulerKind.dpmpp2M.makeScheduler(configuration: configuration, steps: 6)
        func output(_ step: Int) -> Tensor { Tensor([1, 1, 1, 2], [Float(step) * 0.3, 0.2]) }
        var sample = Tensor([1, 1, 1, 2], [1, -1])
        for step in 0..<3 { sample = first.step(modelOutput: output(step), sample: sample, noise: { sample }).prevSample }
        var second = first
        var (a, b) = (sample, sample)
        for step in 3..<6 {
            a = first.step(modelOutput: output(step), sample: a, noise: { a }).prevSample
            b = second.step(modelOutput: output(step), sample: b, noise: { b }).prevSample
        }
        #expect(a.array == b.array && first.isFinished && second.isFinished)
    }

    @Test(arguments: [
        (
            #"{"beta_schedule": "sigmoid"}"#,
            "\"beta_schedule\" should be linear, scaled_linear or squaredcos_cap_v2, found \"sigmoid\""
        ),
        (#"{"prediction_type": "flow_prediction"}"#, "\"prediction_type\" should be epsilon, sample, v_prediction"),
        (#"{"solver_type": 3}"#, "\"solver_type\" should be a text"),
        (#"{"thresholding": true}"#, "\"thresholding\" should be false"),
        (#"{"algorithm_type": "sde-dpmsolver++"}"#, "\"algorithm_type\" should be dpmsolver++"),
        (#"{"solver_order": 4}"#, "\"solver_order\" should be between 1 and 3"),
        (#"{"use_beta_sigmas": true}"#, "\"use_beta_sigmas\" should be false"),
        (#"{"num_train_timesteps": 0}"#, "\"num_train_timesteps\" should be between 1"),
        (#"{"trained_betas": [2, 3]}"#, "\"trained_betas\" should be"),
        (#"{"final_sigmas_type": "x"}"#, "\"final_sigmas_type\" should be zero, sigma_min, found \"x\""),
    ])
    func whatCannotBeHonouredIsNamed(text: String, expected: String) throws {
        let configuration = try JSONConfiguration(text: text, file: "s.json")
        #expect(message { try SchedulerKind.dpmpp2M.makeScheduler(configuration: configuration, steps: 5) }.contains(expected))
    }

    @Test(arguments: [
        (SchedulerKind.euler, #"{"timestep_type": "continuous"}"#, "\"timestep_type\" should be discrete"),
        (.euler, #"{"interpolation_type": "log_linear"}"#, "\"interpolation_type\" should be linear"),
        (.euler, #"{"use_karras_sigmas": true, "sigma_min": 200}"#, "\"sigma_min\" should be more than 0"),
        (.euler, #"{"use_exponential_sigmas": true}"#, "\"use_exponential_sigmas\" should be false"),
        (.eulerAncestral, #"{"prediction_type": "sample"}"#, "\"prediction_type\" should be epsilon or v_prediction"),
        (.pndm, #"{"prediction_type": "sample"}"#, "\"prediction_type\" should be epsilon or v_prediction"),
        (.pndm, #"{"skip_prk_steps": false}"#, "\"skip_prk_steps\" should be true for fewer than 4 steps"),
        (.lcm, #"{"thresholding": true}"#, "\"thresholding\" should be false"),
        (.lcm, #"{"original_inference_steps": 2}"#, "3 steps cannot be done; choose a number between 1 and 2"),
        (
            .ddim, #"{"rescale_betas_zero_snr": true, "timestep_spacing": "trailing"}"#,
            "\"prediction_type\" should be v_prediction"
        ),
    ])
    func samplersSayWhatTheyCannotDo(kind: SchedulerKind, text: String, expected: String) throws {
        let configuration = try JSONConfiguration(text: text, file: "s.json")
        let found = message { try kind.makeScheduler(configuration: configuration, steps: 3) }
        #expect(found.contains(expected), "\(found)")
    }

    @Test(
        arguments: [
            (#"{"_class_name": "DDIMScheduler"}"#, .ddim), (#"{"_class_name": "PNDMScheduler"}"#, .pndm),
            (#"{"_class_name": "DPMSolverMultistepScheduler", "use_karras_sigmas": true}"#, .dpmpp2M),
            (#"{"_class_name": "DPMSolverMultistepScheduler"}"#, .dpmpp2MPlain),
            (#"{"_class_name": "EulerDiscreteScheduler", "use_karras_sigmas": true}"#, .euler),
            (#"{"_class_name": "EulerAncestralDiscreteScheduler"}"#, .eulerAncestral),
            (#"{"_class_name": "LCMScheduler"}"#, .lcm),
            (#"{"_class_name": "FlaxPNDMScheduler"}"#, .pndm), (#"{"_class_name": "HeunDiscreteScheduler"}"#, nil), ("{}", nil),
        ] as [(String, SchedulerKind?)])
    func folderNamesItsSampler(text: String, expected: SchedulerKind?) throws {
        #expect(try SchedulerKind(configuration: JSONConfiguration(text: text, file: "s.json")) == expected)
    }

    @Test(arguments: SchedulerKind.allCases, [0, -1, 1001]) func impossibleStepsAreRefused(kind: SchedulerKind, steps: Int) throws
    {
        let configuration = try JSONConfiguration(text: "{}", file: "s.json")
        #expect(throws: StableDiffusionError.steps(steps, limit: kind == .lcm ? 50 : 1000)) {
            try kind.makeScheduler(configuration: configuration, steps: steps)
        }
    }

    @Test func stepsThatLeaveTheScheduleAreRefused() throws {
        let configuration = try JSONConfiguration(text: #"{"steps_offset": 1}"#, file: "s.json")
        let text = message { try SchedulerKind.ddim.makeScheduler(configuration: configuration, steps: 1000) }
        #expect(text.contains("\"steps_offset\" should be less"))
        for kind in [SchedulerKind.ddim, .pndm, .dpmpp2M, .dpmpp2MPlain, .euler, .eulerAncestral] {
            let json = #"{"steps_offset": 9223372036854775807, "timestep_spacing": "leading", "skip_prk_steps": true}"#
            let configuration = try JSONConfiguration(text: json, file: "s.json")
            let text = message { try kind.makeScheduler(configuration: configuration, steps: 5) }
            // Karras' levels have no offset.
            #expect(kind == .dpmpp2M ? text.hasPrefix("no error") : text.contains("\"steps_offset\" should be at most 1000"))
        }
    }
}
