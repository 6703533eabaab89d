using Weir.Storage.Crash;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>Power loss at any step breaks no promise, and the campaign that says so notices what it is for.</summary>
[Trait("Category", "Simulation")]
public sealed class CrashCampaignTests(ITestOutputHelper output)
{
    private const long ImagesPerMutation = 20_000;

    [Fact]
    public void Power_loss_at_any_step_breaks_no_promise()
    {
        var seed = (ulong)Random.Shared.Next();
        var report = new CrashCampaign().Run(seed, 2000);
        output.WriteLine($"{report.Images} images from seed {seed}, {report.Steps} write steps");
        Assert.True(report.Failure is null, $"seed {report.Failure?.Seed} image {report.Failure?.Image}: {report.Failure?.Text}");
        Assert.True(report.Images >= 2000);
    }

    [Fact]
    public void Image_is_the_same_when_it_is_replayed()
    {
        var found = new CrashCampaign(Mutation.AcknowledgeBeforeSync).Run(1, ImagesPerMutation).Failure!;
        var replayed = new CrashCampaign(Mutation.AcknowledgeBeforeSync).Replay(found.Seed, found.Image);
        Assert.Equal(found, replayed.Failure);
    }

    [Fact]
    public void Power_loss_at_any_step_of_compaction_breaks_no_promise()
    {
        var seed = (ulong)Random.Shared.Next();
        var report = new CompactionCampaign().Run(seed, 2000);
        output.WriteLine($"{report.Images} images from seed {seed}, {report.Steps} write steps");
        Assert.True(report.Failure is null, $"seed {report.Failure?.Seed} image {report.Failure?.Image}: {report.Failure?.Text}");
        Assert.InRange(report.ImagesByDoing["compact"], 1000, long.MaxValue);
    }

    [Theory]
    [InlineData(Mutation.SwapUnsynced)]
    [InlineData(Mutation.DeleteBeforeSwap)]
    [InlineData(Mutation.CompactUncommitted)]
    [InlineData(Mutation.DropTombstones)]
    [InlineData(Mutation.ForgetProducers)]
    public void What_is_broken_on_purpose_in_compaction_is_found(Mutation mutation)
    {
        var report = new CompactionCampaign(mutation).Run(firstSeed: 1, ImagesPerMutation);
        Assert.True(report.Failure is not null, $"{mutation} was not found in {report.Images} images");
        output.WriteLine($"{mutation}: found after {report.Images} images: {report.Failure.Text}");
    }

    [Theory]
    [InlineData(Mutation.AcknowledgeBeforeSync)]
    [InlineData(Mutation.CutWithoutProof)]
    [InlineData(Mutation.SkipDirectorySync)]
    [InlineData(Mutation.FooterBeforeDataSync)]
    [InlineData(Mutation.TrustPageCache)]
    public void What_is_broken_on_purpose_is_found(Mutation mutation)
    {
        var report = new CrashCampaign(mutation).Run(firstSeed: 1, ImagesPerMutation);
        Assert.True(report.Failure is not null, $"{mutation} was not found in {report.Images} images");
        output.WriteLine($"{mutation}: found after {report.Images} images: {report.Failure.Text}");
    }
}
