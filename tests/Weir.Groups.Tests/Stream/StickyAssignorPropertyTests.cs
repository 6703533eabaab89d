using CsCheck;
using Weir.Groups.Stream;
using Weir.Storage;
using Xunit;

namespace Weir.Groups.Tests.Stream;

/// <summary>Assignments, whoever comes and goes.</summary>
[Trait("Category", "Simulation")]
public sealed class StickyAssignorPropertyTests
{
    [Fact]
    public void Shares_differ_by_one_at_most_and_only_what_must_move_moves() =>
        Gen.Select(Gen.Int[1, 60], Gen.Int[0, 9].Array[1, 30]).Sample(
            static (count, changes) =>
            {
                var partitions = Enumerable.Range(0, count).Select(static index => new StreamPartition(new LogIdentity(Guid.Empty, index))).ToList();
                var members = new SortedDictionary<int, StreamMember>();
                var epoch = 0;
                foreach (var change in changes)
                {
                    if (members.Remove(change, out var gone))
                    {
                        partitions.Where(partition => partition.Owner == gone).ToList().ForEach(static partition => partition.Owner = null);
                    }
                    else
                    {
                        members[change] = new StreamMember(Guid.NewGuid(), null, $"m{change}", 0);
                    }

                    StickyAssignor.Assign(partitions, members.Values);
                    if (members.Count == 0)
                    {
                        Assert.All(partitions, static partition => Assert.Null(partition.Target));
                        continue;
                    }

                    var shares = members.Values.Select(member => partitions.Count(partition => partition.Target == member)).ToList();
                    Assert.Equal(count, shares.Sum());
                    Assert.InRange(shares.Max() - shares.Min(), 0, 1);

                    // As much stays where it is as can: those that have most get what is over.
                    var had = members.Values.Select(member => partitions.Count(partition => partition.Owner == member)).OrderDescending();
                    var (least, over) = (count / members.Count, count % members.Count);
                    Assert.Equal(
                        had.Select((owned, index) => Math.Min(owned, least + (index < over ? 1 : 0))).Sum(),
                        partitions.Count(static partition => partition.Owner is not null && partition.Owner == partition.Target));

                    epoch++;
                    foreach (var partition in partitions.Where(static partition => partition.Owner != partition.Target))
                    {
                        (partition.Owner, partition.AssignmentEpoch) = (partition.Target, epoch);
                    }
                }
            },
            iter: 1000);
}
