using Weir.Protocol.Fuzz;
using Xunit;

namespace Weir.Protocol.Tests;

/// <summary>A slice of the fuzzer's inputs, another one in each run.</summary>
[Trait("Category", "Unit")]
public sealed class FuzzSliceTests
{
    [Fact]
    public void Decoders_stand_fifty_thousand_inputs()
    {
        var report = new Fuzzer().Run((ulong)Random.Shared.NextInt64(), 50_000);

        Assert.True(report.Failure is null, report.Failure?.ToString());
        Assert.InRange(report.Refused, 10_000, 100_000);
    }
}
