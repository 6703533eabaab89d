namespace Weir.Operator.Framework;

/// <summary>Short names of a kind, as <c>kubectl get</c> takes them.</summary>
/// <param name="names">The names.</param>
[AttributeUsage(AttributeTargets.Class)]
public sealed class KubernetesEntityShortNamesAttribute(params string[] names) : Attribute
{
    /// <summary>The names.</summary>
    public IReadOnlyList<string> ShortNames { get; } = names;
}

/// <summary>Groups of kinds that <c>kubectl get</c> lists together.</summary>
/// <param name="categories">Their names.</param>
[AttributeUsage(AttributeTargets.Class)]
public sealed class KubernetesEntityCategoriesAttribute(params string[] categories) : Attribute
{
    /// <summary>Their names.</summary>
    public IReadOnlyList<string> Categories { get; } = categories;
}

/// <summary>A column that <c>kubectl get</c> prints, in the order in which they are given.</summary>
/// <param name="jsonPath">Where its value is.</param>
/// <param name="name">Its heading.</param>
/// <param name="type">Its OpenAPI type: string, integer, boolean or date.</param>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
public sealed class GenericAdditionalPrinterColumnAttribute(string jsonPath, string name, string type) : Attribute
{
    /// <summary>Where its value is.</summary>
    public string JsonPath { get; } = jsonPath;

    /// <summary>Its heading.</summary>
    public string Name { get; } = name;

    /// <summary>Its OpenAPI type.</summary>
    public string Type { get; } = type;

    /// <summary>0 is always shown; above it only with <c>-o wide</c>.</summary>
    public int Priority { get; set; }
}

/// <summary>A rule in CEL that the API server checks, on a type or on a field.</summary>
/// <param name="rule">The rule; it must be true.</param>
/// <param name="message">What the user is told if it is not.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Property, AllowMultiple = true)]
public sealed class ValidationRuleAttribute(string rule, string message) : Attribute
{
    /// <summary>The rule.</summary>
    public string Rule { get; } = rule;

    /// <summary>What the user is told.</summary>
    public string Message { get; } = message;
}

/// <summary>The kind has a <c>scale</c> subresource.</summary>
/// <param name="specReplicasPath">Where the wanted number is.</param>
/// <param name="statusReplicasPath">Where the present number is.</param>
[AttributeUsage(AttributeTargets.Class)]
public sealed class ScaleSubresourceAttribute(string specReplicasPath, string statusReplicasPath) : Attribute
{
    /// <summary>Where the wanted number is.</summary>
    public string SpecReplicasPath { get; } = specReplicasPath;

    /// <summary>Where the present number is.</summary>
    public string StatusReplicasPath { get; } = statusReplicasPath;

    /// <summary>Where the selector of the pods is, as text; null for none.</summary>
    public string? LabelSelectorPath { get; set; }
}

/// <summary>The field must be given.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class RequiredAttribute : Attribute;

/// <summary>The text must match.</summary>
/// <param name="regexPattern">A regular expression in RE2 syntax.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class PatternAttribute(string regexPattern) : Attribute
{
    /// <summary>The expression.</summary>
    public string RegexPattern { get; } = regexPattern;
}

/// <summary>Smallest value.</summary>
/// <param name="minimum">The value itself is allowed.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class RangeMinimumAttribute(long minimum) : Attribute
{
    /// <summary>The value.</summary>
    public long Minimum { get; } = minimum;
}

/// <summary>Largest value.</summary>
/// <param name="maximum">The value itself is allowed.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class RangeMaximumAttribute(long maximum) : Attribute
{
    /// <summary>The value.</summary>
    public long Maximum { get; } = maximum;
}

/// <summary>Bounds of a text's length, which also bound what a rule in CEL may cost.</summary>
/// <param name="maxLength">Most characters.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class LengthAttribute(int maxLength) : Attribute
{
    /// <summary>Most characters.</summary>
    public int MaxLength { get; } = maxLength;

    /// <summary>Fewest characters.</summary>
    public int MinLength { get; set; }
}

/// <summary>Bounds of the number of elements of a list or of entries of a map.</summary>
/// <param name="maxItems">Most of them.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ItemsAttribute(int maxItems) : Attribute
{
    /// <summary>Most of them.</summary>
    public int MaxItems { get; } = maxItems;

    /// <summary>Fewest of them.</summary>
    public int MinItems { get; set; }
}

/// <summary>How the API server merges a list: atomic, set or map.</summary>
/// <param name="type">One of the three.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class XListTypeAttribute(string type) : Attribute
{
    /// <summary>One of the three.</summary>
    public string Type { get; } = type;
}

/// <summary>By which fields the elements of a list of type map are told apart.</summary>
/// <param name="keys">The fields.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class XListMapKeysAttribute(params string[] keys) : Attribute
{
    /// <summary>The fields.</summary>
    public IReadOnlyList<string> Keys { get; } = keys;
}

/// <summary>The API server keeps whatever stands below the field: it is a part of a Kubernetes type.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class PreserveUnknownFieldsAttribute : Attribute;

/// <summary>The text is written by the server if it is not given. Only for constants that never change.</summary>
/// <param name="value">The value.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class DefaultValueAttribute(object value) : Attribute
{
    /// <summary>The value.</summary>
    public object Value { get; } = value;
}
