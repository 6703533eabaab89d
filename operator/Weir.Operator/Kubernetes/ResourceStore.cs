using System.Collections.Concurrent;
using System.Collections.Immutable;
using k8s;
using k8s.Models;

namespace Weir.Operator.Kubernetes;

/// <summary>
/// What is known of a kind, with indexes. Objects in it are shared: nobody may change them. Written by one reflector per
/// namespace, read by anybody.
/// </summary>
internal sealed class ResourceStore<T>
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private readonly ConcurrentDictionary<ObjectKey, T> _objects = new();
    private readonly Dictionary<string, Index> _indexes = [];
    private readonly Lock _lock = new();

    public int Count => _objects.Count;

    public IEnumerable<T> All => _objects.Select(static pair => pair.Value);

    public IEnumerable<ObjectKey> Keys => _objects.Select(static pair => pair.Key);

    /// <summary>Adds an index. Only before the first object comes.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="valuesOf">The values under which an object is found.</param>
    public void AddIndex(string name, Func<T, IEnumerable<string>> valuesOf) => _indexes.Add(name, new Index(valuesOf));

    public T? Find(ObjectKey key) => _objects.GetValueOrDefault(key);

    /// <summary>The objects that an index has under a value.</summary>
    public IReadOnlyList<T> Find(string index, string value)
    {
        ImmutableHashSet<ObjectKey> keys;
        lock (_lock)
        {
            keys = _indexes[index].Keys.GetValueOrDefault(value) ?? [];
        }

        return [.. keys.Select(Find).OfType<T>()];
    }

    /// <summary>Puts an object in.</summary>
    /// <returns>The one that was there before, or null.</returns>
    public T? Set(T item)
    {
        lock (_lock)
        {
            var key = ObjectKey.Of(item);
            var before = Find(key);
            Unindex(key, before);
            _objects[key] = item;
            foreach (var index in _indexes.Values)
            {
                index.Add(key, item);
            }

            return before;
        }
    }

    /// <summary>Takes an object out.</summary>
    /// <returns>It, or null if it was not there.</returns>
    public T? Remove(ObjectKey key)
    {
        lock (_lock)
        {
            _objects.TryRemove(key, out var before);
            Unindex(key, before);
            return before;
        }
    }

    private void Unindex(ObjectKey key, T? before)
    {
        if (before is not null)
        {
            foreach (var index in _indexes.Values)
            {
                index.Remove(key, before);
            }
        }
    }

    private sealed class Index(Func<T, IEnumerable<string>> valuesOf)
    {
        public Dictionary<string, ImmutableHashSet<ObjectKey>> Keys { get; } = [];

        public void Add(ObjectKey key, T item)
        {
            foreach (var value in valuesOf(item))
            {
                Keys[value] = (Keys.GetValueOrDefault(value) ?? []).Add(key);
            }
        }

        public void Remove(ObjectKey key, T item)
        {
            foreach (var value in valuesOf(item))
            {
                var left = (Keys.GetValueOrDefault(value) ?? []).Remove(key);
                if (left.IsEmpty)
                {
                    Keys.Remove(value);
                }
                else
                {
                    Keys[value] = left;
                }
            }
        }
    }
}
