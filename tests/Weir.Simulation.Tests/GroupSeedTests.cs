using Weir.Groups;
using Weir.Protocol.Messages;
using Weir.Simulation.Groups;
using Xunit;

namespace Weir.Simulation.Tests;

/// <summary>
/// Groups under seeds: coordinators fail over, members die, stand still and leave, messages are late or lost. Nothing is owned
/// twice, skipped, lost, or delivered out of its key's order.
/// </summary>
[Trait("Category", "Simulation")]
public sealed class GroupSeedTests
{
    private const int FreshSeeds = 150;

    [Theory]
    [InlineData(GroupMode.Stream)]
    [InlineData(GroupMode.Queue)]
    [InlineData(GroupMode.Keyed)]
    public void Pinned_and_fresh_seeds_keep_every_promise(GroupMode mode)
    {
        var first = (ulong)Random.Shared.NextInt64(1_000_000, long.MaxValue / 2);
        var seeds = Enumerable.Range(1, 100).Select(static seed => (ulong)seed)
            .Concat(Enumerable.Range(0, FreshSeeds).Select(index => first + (ulong)index));
        foreach (var seed in seeds)
        {
            var violation = GroupWorld.Run(new GroupRunOptions { Seed = seed, Mode = mode });
            Assert.True(violation is null, $"--groups --mode {mode} --seed {seed} --seeds 1: {violation}");
        }
    }

    [Theory]
    [InlineData(GroupMode.Stream, OmittedGroupRules.EffectsAfterCommit)]
    [InlineData(GroupMode.Keyed, OmittedGroupRules.EffectsAfterCommit)]
    [InlineData(GroupMode.Stream, OmittedGroupRules.CommitsByOwner)]
    [InlineData(GroupMode.Stream, OmittedGroupRules.CommitsForward)]
    [InlineData(GroupMode.Stream, OmittedGroupRules.MemberEpochsThrough, 2500)]
    [InlineData(GroupMode.Queue, OmittedGroupRules.ForeignSettlementsTold)]
    [InlineData(GroupMode.Queue, OmittedGroupRules.SettledInSnapshots)]
    [InlineData(GroupMode.Queue, OmittedGroupRules.DeadLettersWrittenFirst)]
    [InlineData(GroupMode.Queue, OmittedGroupRules.SequencesInSnapshots)]
    [InlineData(GroupMode.Queue, OmittedGroupRules.PiecesToTheirEnd)]
    [InlineData(GroupMode.Keyed, OmittedGroupRules.KeysInOrder)]
    internal void Rule_that_is_left_out_is_found(GroupMode mode, OmittedGroupRules rule, int first = 1)
    {
        var options = new GroupRunOptions { Mode = mode, Omits = rule };
        Assert.Contains(
            Enumerable.Range(first, 1000), seed => GroupWorld.Run(options with { Seed = (ulong)seed }) is not null);
    }
}
