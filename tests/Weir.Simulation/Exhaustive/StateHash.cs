using System.Collections;
using System.Collections.Concurrent;
using System.Globalization;
using System.IO.Hashing;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace Weir.Simulation.Exhaustive;

/// <summary>
/// Hashes a graph of objects by what their fields hold, so that no state of a machine is overlooked because nobody thought of
/// it. Left out is what says the same in other words or nothing: times, locks, loggers, and what a model hashes itself.
/// </summary>
/// <param name="visit">Hashes an object in a way of its own; returns whether that was all.</param>
internal sealed class StateHash(Func<StateHash, object, bool> visit)
{
    private static readonly ConcurrentDictionary<Type, Plan> Plans = new();
    private static readonly string[] Ignored = ["System.Threading", "Microsoft.", "System.Reflection", "System.Buffers"];
    private static readonly HashSet<string> IgnoredFields = 
    [
        "round", "sequence", "lastSessionId", "sessionId", "sessionEpoch", "nextEpoch", "cursor", "incarnation",
    ];
    private readonly Dictionary<object, int> _visited = new(ReferenceEqualityComparer.Instance);

    /// <summary>Counters that say something only beside others, by the name of their field: as what they are hashed.</summary>
    public Func<string, long, long>? Normalize { get; init; }

    public ulong Value { get; private set; } = 14695981039346656037;

    public void Add(long value)
    {
        var mixed = (Value ^ (ulong)value) * 0x9E3779B97F4A7C15;
        Value = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9;
    }

    public void Add(bool value) => Add(value ? 1 : 2);

    public void Walk(object? value)
    {
        switch (value)
        {
            case null:
                Add(-7);
                return;
            case string text:
                Add(Hash(Encoding.UTF8.GetBytes(text)));
                return;
            case byte[] bytes:
                Add(Hash(bytes));
                return;
            case ReadOnlyMemory<byte> bytes:
                Add(Hash(bytes.Span));
                return;
            case Enum or IConvertible:
                Add(Convert.ToInt64(value, CultureInfo.InvariantCulture));
                return;
            case Guid id:
                Add(id.GetHashCode());
                return;
        }

        var type = value.GetType();
        if (!type.IsValueType)
        {
            if (_visited.TryGetValue(value, out var index))
            {
                Add(index);
                return;
            }

            _visited[value] = _visited.Count;
        }

        var plan = Plans.GetOrAdd(type, static type => new Plan(type));
        if (plan.IsIgnored || visit(this, value))
        {
            return;
        }

        Add(plan.Id);
        if (value is Delegate call)
        {
            Add(call.Method.MetadataToken);
            Walk(call.Target);
        }
        else if (plan.IsCollection)
        {
            foreach (var item in (IEnumerable)value)
            {
                Walk(item);
            }

            Add(-11);
        }
        else
        {
            WalkFields(value, plan);
        }
    }

    private static long Hash(ReadOnlySpan<byte> bytes) => (long)XxHash3.HashToUInt64(bytes);

    private void WalkFields(object value, Plan plan)
    {
        foreach (var (field, name) in plan.Fields)
        {
            var content = field.GetValue(value);
            if (Normalize is not null && name.EndsWith("Epoch", StringComparison.Ordinal) && content is long or int)
            {
                Add(Normalize(name, Convert.ToInt64(content, CultureInfo.InvariantCulture)));
            }
            else
            {
                Walk(content);
            }
        }

        // What comes back from a round that is over counts for nothing.
        if (plan.Round is { } round && plan.Owner!.GetValue(value) is { } owner
            && owner.GetType().GetField("_round", Plan.Flags) is { } current)
        {
            Add(Equals(round.GetValue(value), current.GetValue(owner)));
        }
    }

    /// <summary>What of a type is hashed.</summary>
    private sealed class Plan
    {
        public const BindingFlags Flags = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

        public Plan(Type type)
        {
            var space = type.Namespace ?? string.Empty;
            Id = RuntimeHelpers.GetHashCode(type);
            IsIgnored = typeof(Type).IsAssignableFrom(type)
                || Array.Exists(Ignored, name => space.StartsWith(name, StringComparison.Ordinal));
            IsCollection = type.IsArray
                || (typeof(IEnumerable).IsAssignableFrom(type) && !type.IsValueType
                    && space.StartsWith("System", StringComparison.Ordinal));
            if (IsIgnored || IsCollection || typeof(Delegate).IsAssignableFrom(type))
            {
                return;
            }

            for (var level = type; level is not null && level != typeof(object); level = level.BaseType)
            {
                Fields.AddRange(level.GetFields(Flags | BindingFlags.DeclaredOnly)
                    .Select(static field => (Field: field, Name: NameOf(field))).Where(static pair => IsHashed(pair.Name)));
            }

            Round = type.GetField("round", Flags);
            Owner = type.GetField("<>4__this", Flags);
            Round = Owner is null ? null : Round;
        }

        public int Id { get; }

        public bool IsIgnored { get; }

        public bool IsCollection { get; }

        public List<(FieldInfo Field, string Name)> Fields { get; } = [];

        public FieldInfo? Round { get; }

        public FieldInfo? Owner { get; }

        /// <summary>The name without what the compiler and the style put around it.</summary>
        private static string NameOf(FieldInfo field)
        {
            var name = field.Name;
            var end = name.IndexOf('>', StringComparison.Ordinal);
            name = name[0] == '<' && end > 1 ? name[1..end] : name.TrimStart('_');
            return char.ToLowerInvariant(name[0]) + name[1..];
        }

        private static bool IsHashed(string name) =>
            !name.EndsWith("Ms", StringComparison.Ordinal) && !IgnoredFields.Contains(name);
    }
}
