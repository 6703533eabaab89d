using Weir.Protocol.Errors;
using Weir.Protocol.Fuzz.Inputs;
using Weir.Protocol.Fuzz.Messages;
using Weir.Protocol.Fuzz.Targets;
using Weir.Testing.Support;

namespace Weir.Protocol.Fuzz;

/// <summary>An input that a decoder did not stand.</summary>
/// <param name="Seed">Makes the input again.</param>
/// <param name="Target">Which decoder.</param>
/// <param name="Input">The bytes.</param>
/// <param name="Fault">What happened.</param>
public sealed record FuzzFailure(ulong Seed, string Target, byte[] Input, string Fault)
{
    public override string ToString() =>
        $"{Target}: {Fault}\nseed {Seed}, {Input.Length} bytes: {Convert.ToHexStringLower(Input)}\n"
            + $"replay: dotnet run -c Release --project tests/Weir.Protocol.Fuzz -- --inputs 1 --seed {Seed}\n"
            + $"    or: dotnet run -c Release --project tests/Weir.Protocol.Fuzz -- --target {Target} --hex HEX";
}

/// <summary>How a run went.</summary>
/// <param name="Inputs">Inputs that were tried.</param>
/// <param name="Refused">Decodings that ended with a protocol error.</param>
/// <param name="WorstShare">Largest share of its allowance that a decoding allocated.</param>
/// <param name="Worst">Which one that was.</param>
/// <param name="Failure">The first failure; it ends the run.</param>
public sealed record FuzzReport(long Inputs, long Refused, double WorstShare, string Worst, FuzzFailure? Failure);

/// <summary>
/// Feeds every decoder random, valid and damaged bytes, and holds them to two rules: no exception but
/// <see cref="ProtocolException"/>, and no more allocated than <see cref="FuzzTarget.AllowedBytes"/>. Input i of a run is made
/// from seed + i alone. Used by one thread; run several over ranges of seeds.
/// </summary>
public sealed class Fuzzer
{
    private const int WarmUpInputs = 3_000;
    private long _refused;
    private double _worstShare;
    private string _worst = "nothing";

    /// <summary>Every decoder.</summary>
    public static IReadOnlyList<FuzzTarget> Targets { get; } =
    [
        new FrameTarget(), new BatchTarget(), new RecordsTarget(),
        .. MessageCatalog.All.Select(static message => new MessageTarget(message)),
    ];

    /// <summary>Runs inputs from the seeds that start at <paramref name="seed"/>.</summary>
    public FuzzReport Run(ulong seed, long inputs)
    {
        WarmUp();
        for (var i = 0L; i < inputs; i++)
        {
            if (TryInput(seed + (ulong)i) is { } failure)
            {
                return Report(i + 1, failure);
            }
        }

        return Report(inputs, failure: null);
    }

    /// <summary>Runs one input on one decoder.</summary>
    public FuzzReport Replay(string target, byte[] input)
    {
        WarmUp();
        return Report(1, Try(0, Targets.Single(t => t.Name == target), input));
    }

    /// <summary>The target and the bytes of a seed.</summary>
    public static (FuzzTarget Target, FuzzTarget Other, byte[] Input) CreateInput(ulong seed)
    {
        var random = new SeededRandom(seed);

        // Half of the inputs are for the three decoders of frames and records, the rest for messages.
        var target = Targets[random.Chance(1, 2) ? random.Next(3) : random.Next(Targets.Count)];
        var other = Targets[random.Next(Targets.Count)];
        if (random.Chance(1, 8))
        {
            var noise = new byte[random.Next(random.Chance(1, 16) ? 20_000 : 200)];
            random.NextBytes(noise);
            return (target, other, noise);
        }

        var valid = target.CreateValid(random);
        return (target, other, random.Chance(1, 8) ? valid : Mutator.Mutate(valid, random));
    }

    /// <summary>Lets types load, caches fill and pools get their first arrays before anything is measured.</summary>
    private void WarmUp()
    {
        for (var i = 0; i < WarmUpInputs; i++)
        {
            var (target, other, input) = CreateInput((ulong)i);
            foreach (var decoder in new[] { target, other })
            {
                try
                {
                    decoder.Decode(input);
                }
                catch (Exception)
                {
                    // Counted only when it is measured.
                }
            }
        }
    }

    private FuzzFailure? TryInput(ulong seed)
    {
        var (target, other, input) = CreateInput(seed);
        return Try(seed, target, input) ?? Try(seed, other, input);
    }

    private FuzzFailure? Try(ulong seed, FuzzTarget target, byte[] input)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            target.Decode(input);
        }
        catch (ProtocolException)
        {
            _refused++;
        }
        catch (Exception e)
        {
            return new FuzzFailure(seed, target.Name, input, e.ToString());
        }

        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        var allowed = target.AllowedBytes(input.Length);
        if ((double)allocated / allowed > _worstShare)
        {
            _worstShare = (double)allocated / allowed;
            _worst = $"{target.Name} allocated {allocated:N0} of {allowed:N0} bytes for {input.Length:N0}, seed {seed}";
        }

        return allocated <= allowed
            ? null
            : new FuzzFailure(seed, target.Name, input, $"allocated {allocated} bytes, {allowed} are allowed");
    }

    private FuzzReport Report(long inputs, FuzzFailure? failure) => new(inputs, _refused, _worstShare, _worst, failure);
}
