namespace Weir.Groups.Stream;

/// <summary>
/// Says who is to own which partition: every member as many as any other or one more, with as few moves as that allows. What
/// must move is what came last, so that a member that leaves and comes back gets the same again. Pure.
/// </summary>
internal static class StickyAssignor
{
    /// <summary>Sets the target of every partition.</summary>
    /// <param name="partitions">The partitions, with their present owners.</param>
    /// <param name="members">The members, in the order in which they get one more.</param>
    public static void Assign(IReadOnlyCollection<StreamPartition> partitions, IReadOnlyCollection<StreamMember> members)
    {
        if (members.Count == 0)
        {
            foreach (var partition in partitions)
            {
                partition.Target = null;
            }

            return;
        }

        var held = members.ToDictionary(static member => member, static _ => new List<StreamPartition>());
        var free = new List<StreamPartition>();
        foreach (var partition in partitions)
        {
            if (partition.Owner is { } owner && held.TryGetValue(owner, out var owned))
            {
                owned.Add(partition);
            }
            else
            {
                free.Add(partition);
            }
        }

        var (least, extra) = (partitions.Count / members.Count, partitions.Count % members.Count);
        var quota = new Dictionary<StreamMember, int>(members.Count);
        foreach (var (member, owned) in held.OrderByDescending(static pair => pair.Value.Count))
        {
            // Whoever has more than the least anyway keeps one more.
            quota[member] = least + (extra-- > 0 ? 1 : 0);
            owned.Sort(static (one, other) => one.AssignmentEpoch.CompareTo(other.AssignmentEpoch));
            for (var i = 0; i < owned.Count; i++)
            {
                if (i < quota[member])
                {
                    owned[i].Target = member;
                }
                else
                {
                    free.Add(owned[i]);
                }
            }
        }

        Spread(free, held, quota);
    }

    private static void Spread(
        List<StreamPartition> free, Dictionary<StreamMember, List<StreamPartition>> held, Dictionary<StreamMember, int> quota)
    {
        var wanting = new Queue<(StreamMember Member, int Left)>(
            quota.Select(pair => (pair.Key, pair.Value - Math.Min(pair.Value, held[pair.Key].Count)))
                .Where(static pair => pair.Item2 > 0));
        foreach (var partition in free)
        {
            var (member, left) = wanting.Dequeue();
            partition.Target = member;
            if (left > 1)
            {
                wanting.Enqueue((member, left - 1));
            }
        }
    }
}
